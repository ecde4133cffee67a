"""A TFLite file as a classifier, run by Larq Compute Engine."""

import numpy as np
import tensorflow as tf

from export.interpreter import checked_interpreter
from recu_tf.classifiers import Classifier, classifier

__all__ = ["tflite_classifier"]


def tflite_classifier(flatbuffer: bytes) -> Classifier:
    """A classifier of a TFLite file, with or without binary convolutions, on one thread.

    Args:
        flatbuffer: the file, with one float32 input, of any fixed number of images, and one
            float32 output.

    Raises:
        ValueError: it is no such file, is damaged, or holds operators that the engine lacks.
    """
    interpreter = checked_interpreter(flatbuffer)

    def predict(images: np.ndarray) -> np.ndarray:
        return interpreter.predict([images])[0]

    inputs = map(tf.TensorSpec, interpreter.input_shapes, interpreter.input_types)
    outputs = map(tf.TensorSpec, interpreter.output_shapes, interpreter.output_types)
    return classifier(predict, list(inputs), list(outputs))
