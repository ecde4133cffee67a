"""A TFLite file as a classifier, run by Larq Compute Engine."""

import numpy as np
import tensorflow as tf

from export.tflite.interpreter import load_in_engine
from recu_tf.data import Normalization
from recu_tf.networks import Classifier, make_classifier
from recu_tf.pixel_scaling import denormalize

__all__ = ["make_tflite_classifier"]


def make_tflite_classifier(
    flatbuffer: bytes, normalization: Normalization | None = None
) -> Classifier:
    """Makes a classifier from a TFLite file, with or without binary convolutions, on one thread.

    Args:
        flatbuffer: the file, with one input of any fixed number of images, float32 or pixels in
            uint8, and one float32 output.
        normalization: of the images that the classifier will be given, if the file takes pixels.

    Raises:
        ValueError: it is no such file, is damaged, or holds operators that the engine lacks; or it
            takes pixels and `normalization` is None.
    """
    interpreter = load_in_engine(flatbuffer)
    takes_pixels = [np.dtype(input_type) for input_type in interpreter.input_types] == [np.uint8]
    if takes_pixels and normalization is None:
        raise ValueError(
            "`normalization` must be given for a file that takes pixels: that with which these "
            "become the images."
        )

    def predict(images: np.ndarray) -> np.ndarray:
        if takes_pixels:
            images = denormalize(images, normalization)
        return interpreter.predict([images])[0]

    types = [np.float32] if takes_pixels else interpreter.input_types
    inputs = map(tf.TensorSpec, interpreter.input_shapes, types)
    outputs = map(tf.TensorSpec, interpreter.output_shapes, interpreter.output_types)
    return make_classifier(predict, list(inputs), list(outputs))
