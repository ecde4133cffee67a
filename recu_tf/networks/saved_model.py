"""SavedModels as Keras models: their layers where these are known, else the graph as one layer."""

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tf_keras.protobuf import saved_metadata_pb2

from recu_tf import json_text
from recu_tf.functional import is_graph
from recu_tf.networks.origins import PACKAGES, check_origins
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["SavedFunction", "load_saved_model"]

METADATA = "keras_metadata.pb"
SIGNATURE = "serving_default"


class SavedFunction(tf.keras.layers.Layer):
    """The signature `serving_default` of a SavedModel as a layer, its weights unchanged.

    Shape: those of the signature's inputs, in the order of their names, one alone or a list; its
    outputs likewise, one alone or a dictionary.

    Args:
        module: result of `tf.saved_model.load`.
    """

    def __init__(self, module, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.module = module

    def call(self, inputs: tf.Tensor | list[tf.Tensor]) -> tf.Tensor | dict[str, tf.Tensor]:
        """Runs the signature."""
        function = self.module.signatures[SIGNATURE]
        names = sorted(function.structured_input_signature[1])
        outputs = function(**dict(zip(names, tf.nest.flatten(inputs), strict=True)))
        return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def load_saved_model(path: Path) -> tf.keras.Model:
    """Loads a SavedModel as a Keras model, without executing Python code that it contains.

    Where Keras wrote it, from layers of Keras, Larq and this library, it is the model of those
    layers. Else it is one layer around the signature `serving_default`.

    A SavedModel contains no Python, but its graph is a program: TensorFlow has operations that read
    and write files, and they run with the rights of this process. Load only those that you would
    run.

    Args:
        path: a directory that `model.save`, `model.export` or `tf.saved_model.save` wrote.

    Raises:
        ValueError: the directory is damaged, or has no such signature.
    """
    model = _load_layers(path)
    if model is not None:
        return model
    module = _load_signature(path)
    signature = module.signatures[SIGNATURE].structured_input_signature[1]
    inputs = [
        tf.keras.Input(type_spec=tf.TensorSpec(spec.shape, spec.dtype), name=name)
        for name, spec in sorted(signature.items())
    ]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    return tf.keras.Model(inputs, SavedFunction(module, name="saved_model")(inputs))


def _load_layers(path: Path) -> tf.keras.Model | None:
    """The model of the layers that Keras saved; None where they cannot or may not be loaded."""
    if not _has_known_layers(path):
        return None
    try:
        with preserve_quantized_scope():
            model = tf.keras.models.load_model(path, compile=False)
    except Exception:  # whatever Keras fails at, the graph may be whole
        return None
    return model if is_graph(model) and _consists_of_classes(model) else None


def _has_known_layers(path: Path) -> bool:
    """Whether all layers of a Keras SavedModel are of packages that may be loaded."""
    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString((path / METADATA).read_bytes())
        for node in metadata.nodes:
            config = json_text.parse(node.metadata)
            check_origins(config, path)
            if node.identifier == "_tf_keras_layer" and config.get("class_name") == "Custom":
                return False
    except (DecodeError, OSError, ValueError):
        # No such file: Keras did not write it. Code in it, or a damaged one: the graph is enough.
        return False
    return True


def _consists_of_classes(model: tf.keras.Model) -> bool:
    """Whether every layer is of its own class, not one that Keras derives from a loaded graph."""
    return all(
        type(layer).__module__.split(".")[0] in PACKAGES
        and ".saving." not in type(layer).__module__
        for layer in model.submodules
        if isinstance(layer, tf.keras.layers.Layer)
    )


def _load_signature(path: Path):
    """Loads a SavedModel that has the signature `serving_default`."""
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:  # protobuf, TensorFlow and the disk each have their own
        raise ValueError(f"{path} is a damaged SavedModel: {error}") from error
    if SIGNATURE not in module.signatures:
        raise ValueError(
            f"{path} must have the signature {SIGNATURE}, got "
            f"{', '.join(module.signatures) or 'none'}."
        )
    return module
