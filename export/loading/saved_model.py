"""SavedModels as Keras models: their layers where they tell them, else the graph as one layer."""

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tf_keras.protobuf import saved_metadata_pb2

from export.keras_graph.inputs_outputs import as_inputs
from recu_tf import json_text
from recu_tf.functional import is_graph
from recu_tf.networks import PACKAGES, SIGNATURE, check_origins, load_signature
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["SavedFunction", "load_saved_model"]

METADATA = "keras_metadata.pb"


class SavedFunction(tf.keras.layers.Layer):
    """The signature `serving_default` of a SavedModel as a layer, its weights as they are.

    Shape: those of the signature's inputs, in the order of their names, one alone or a list; its
    outputs likewise, one alone or a dictionary.

    Args:
        module: what `tf.saved_model.load` gives.
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


def _layers_are_known(path: Path) -> bool:
    """Whether all layers of a Keras SavedModel are of packages that may be loaded."""
    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString((path / METADATA).read_bytes())
        for node in metadata.nodes:
            one = json_text.parse(node.metadata)
            check_origins(one, path)
            if node.identifier == "_tf_keras_layer" and one.get("class_name") == "Custom":
                return False
    except (DecodeError, OSError, ValueError):
        # No such file: not a Keras model's. Code in it, or a damaged one: the graph says it all.
        return False
    return True


def load_saved_model(path: Path) -> tf.keras.Model:
    """A SavedModel as a Keras model, without executing Python code that it brings along.

    Where it was written by Keras, of layers of Keras, Larq and this library, it is the model of
    those layers. Else it is one layer around the signature `serving_default`.

    Args:
        path: its directory. Its graph is a program; see
            `recu_tf.networks.saved_model_classifier`.

    Raises:
        ValueError: the directory is damaged, has no such signature, or one with an input
            of unknown shape.
    """
    if _layers_are_known(path):
        try:
            with preserve_quantized_scope():
                model = tf.keras.models.load_model(path, compile=False)
        except Exception:  # whatever Keras stumbles over, the graph may be whole
            model = None
        if model is not None and is_graph(model) and _is_made_of_classes(model):
            return model
    module = load_signature(path)
    function = module.signatures[SIGNATURE]
    named = sorted(function.structured_input_signature[1].items())
    if any(not spec.shape.rank for _, spec in named):
        raise ValueError(
            f"{path} must take images (batch, height, width, channels), got an input of unknown "
            "shape."
        )
    inputs = as_inputs(
        [
            tf.keras.Input(spec.shape[1:], spec.shape[0], dtype=spec.dtype, name=name)
            for name, spec in named
        ]
    )
    return tf.keras.Model(inputs, SavedFunction(module, name="saved_model")(inputs))


def _is_made_of_classes(model: tf.keras.Model) -> bool:
    """Whether every layer is of its own class, not one that Keras makes up of a loaded graph."""
    return all(
        type(layer).__module__.split(".")[0] in PACKAGES
        and ".saving." not in type(layer).__module__
        for layer in model.submodules
        if isinstance(layer, tf.keras.layers.Layer)
    )
