"""The same network in float32 and in int8, to compare a binary one with."""

import numpy as np
import tensorflow as tf

from export.convert import _saved, _without_quantizers, convert_float_twin

__all__ = ["int8_twin", "twins"]


def int8_twin(model: tf.keras.Model, images: np.ndarray) -> bytes:
    """Converts the same network without its quantizers, in int8, with TensorFlow's converter.

    Args:
        model: a float32 functional or sequential model.
        images: float32 (count, height, width, channels), which decide the ranges.

    Returns:
        A TFLite file that takes one image at a time, in float32, and computes in int8.
    """
    twin = tf.keras.models.clone_model(model, clone_function=_without_quantizers)
    with _saved(twin, 1) as directory:
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
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
        "int8": lambda: int8_twin(model, images),
    }.items():
        try:
            made[name] = make()
        except Exception as error:  # cloning and converting have many of their own
            raise ValueError(f"the {name} twin cannot be made: {error}") from error
    return made
