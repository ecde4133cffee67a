"""The network without quantizers in int8, which an int8 binary network is measured against."""

import numpy as np
import tensorflow as tf

from export.convert import _convert, float_twin
from export.int8 import check_images

__all__ = ["convert_int8_twin"]

# More do not change the ranges by much, and each is run through reference kernels.
MOST_IMAGES = 32


def convert_int8_twin(model: tf.keras.Model, images: np.ndarray) -> bytes:
    """Converts the same network without its quantizers, in int8, with TensorFlow's converter.

    It is what the binary network is compared with in size and latency. Its predictions mean
    nothing.

    Args:
        model: a float32 functional or sequential model with one input and one output.
        images: float32 (count, height, width, channels), normalised; the first 32 calibrate.

    Returns:
        A TFLite file that takes one image at a time, float32 outside and int8 inside.

    Raises:
        ValueError: there are no images, or they have another shape or are not finite; a model that
            cannot be converted.
    """
    twin = float_twin(model)
    check_images(images, twin.input_shape[1:])

    def convert(directory: str) -> bytes:
        converter = tf.lite.TFLiteConverter.from_saved_model(directory)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images[:MOST_IMAGES]
        )
        return converter.convert()

    return _convert(twin, convert)
