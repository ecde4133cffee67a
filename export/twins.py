"""The same network in float32 and in int8, to compare a binary one with."""

import larq as lq
import numpy as np
import tensorflow as tf

from export.convert import saved
from export.int8 import check_images
from export.latent_scope import restored_scope

__all__ = ["convert_float_twin", "convert_int8_twin", "float_twin", "twins"]

# More do not change the ranges by much, and each is run through reference kernels.
MOST_IMAGES = 32


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


@restored_scope()
def convert_float_twin(model: tf.keras.Model) -> bytes:
    """Converts the same network without its quantizers, in float32, with TensorFlow's converter.

    It is what the binary network is compared with in size and latency: the same layers with the
    latent weights, and no sign in between. Its predictions mean nothing.

    Args:
        model: a float32 functional or sequential model.

    Returns:
        A TFLite file that takes one image at a time.
    """
    with saved(float_twin(model), 1) as directory:
        return tf.lite.TFLiteConverter.from_saved_model(directory).convert()


@restored_scope()
def convert_int8_twin(model: tf.keras.Model, images: np.ndarray) -> bytes:
    """Converts the same network without its quantizers, in int8, with TensorFlow's converter.

    Args:
        model: a float32 functional or sequential model with one input and one output.
        images: float32 (count, height, width, channels), normalised; the first 32 calibrate.

    Returns:
        A TFLite file that takes one image at a time, float32 outside and int8 inside.

    Raises:
        ValueError: there are no images, or they have another shape or are not finite.
    """
    twin = float_twin(model)
    check_images(images, twin.input_shape[1:])
    with saved(twin, 1) as directory:
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images[:MOST_IMAGES]
        )
        return converter.convert()


def twins(model: tf.keras.Model) -> dict[str, bytes]:
    """The float32 and the int8 TFLite file of a network, for their latency.

    The ranges of the int8 file are those of random images: its operators are what they would be
    with real ones, its predictions mean nothing.

    Args:
        model: a float32 functional or sequential model with one input of a fixed size.

    Returns:
        "float32" and "int8".

    Raises:
        ValueError: TensorFlow's converter cannot take the network.
    """
    images = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype(np.float32)
    made = {}
    for name, make in {
        "float32": lambda: convert_float_twin(model),
        "int8": lambda: convert_int8_twin(model, images),
    }.items():
        try:
            made[name] = make()
        except Exception as error:  # cloning and converting have many of their own
            raise ValueError(f"the {name} twin cannot be made: {error}") from error
    return made
