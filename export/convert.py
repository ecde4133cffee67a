"""From a Keras model to a TFLite file for Larq Compute Engine, and to its float32 twin."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator

import larq as lq
import larq_compute_engine as lce
import tensorflow as tf

__all__ = ["convert", "convert_float_twin"]


@contextlib.contextmanager
def _saved_for_one_image(model: tf.keras.Model) -> Iterator[str]:
    """Saves the model's inference for a batch of one as a SavedModel, for as long as it lasts.

    Only that one function is traced; `model.save` traces every layer's own, five times as slow.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"`model` must have one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    shape = model.input_shape[1:]
    if None in shape:
        raise ValueError(f"`model` must have a fixed input size, got input shape {shape}.")

    @tf.function(input_signature=[tf.TensorSpec([1, *shape], model.inputs[0].dtype, "image")])
    def serve(image):
        return {"logits": model(image, training=False)}

    module = tf.Module()
    # What Larq quantizes is a wrapper; the graph holds the variable inside.
    module.weights = [getattr(weight, "latent_variable", weight) for weight in model.weights]
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(
            module, directory, signatures={"serving_default": serve.get_concrete_function()}
        )
        yield directory


def _convert(model: tf.keras.Model, converter: Callable[[str], bytes]) -> bytes:
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    if model.dtype_policy.name != "float32":
        raise ValueError(
            f"`model` must be in float32 to be converted, got {model.dtype_policy.name}; rebuild "
            "it in float32 and copy the weights."
        )
    with _saved_for_one_image(model) as directory:
        return converter(directory)


def convert(model: tf.keras.Model) -> bytes:
    """Converts a Keras model for Larq Compute Engine.

    The result is not proved: `export.audit` and `export.verify` do that.

    Args:
        model: a float32 model with one input of a fixed size and one output.

    Returns:
        A TFLite file that takes one image at a time.

    Raises:
        ValueError: a model that the converter cannot take.
    """
    return _convert(model, lce.convert_saved_model)


def _without_quantizers(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    config = layer.get_config()
    for quantizer in [key for key in config if key.endswith("_quantizer")]:
        config[quantizer] = None
    if "pad_values" in config:
        # Anything but zeros is an operator of its own, which a network in real numbers has no
        # need of.
        config["pad_values"] = 0
    return type(layer).from_config(config)


def float_twin(model: tf.keras.Model) -> tf.keras.Model:
    """The same network without its quantizers: the same layers with the latent weights.

    Args:
        model: a functional or sequential model.
    """
    twin = tf.keras.models.clone_model(model, clone_function=_without_quantizers)
    for layer in model.layers:
        latent = [
            weight
            for weight in layer.get_weights()
            if weight.ndim or not isinstance(layer, lq.layers_base.BaseLayer)
        ]
        twin.get_layer(layer.name).set_weights(latent)
    return twin


def convert_float_twin(model: tf.keras.Model) -> bytes:
    """Converts the same network without its quantizers, in float32, with TensorFlow's converter.

    It is what the binary network is compared with in size and latency: the same layers with the
    latent weights, and no sign in between. Its predictions mean nothing.

    Args:
        model: a float32 functional or sequential model.

    Returns:
        A TFLite file that takes one image at a time.
    """
    return _convert(
        float_twin(model),
        lambda directory: tf.lite.TFLiteConverter.from_saved_model(directory).convert(),
    )
