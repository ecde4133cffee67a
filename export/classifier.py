"""A TFLite file as a classifier, run by Larq Compute Engine."""

import platform

import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from export.kernels import KERNELS, tensorflow_lite
from recu_tf.classifiers import Classifier, classifier

__all__ = ["tflite_classifier"]

ARM = ("aarch64", "arm64")


def tflite_classifier(flatbuffer: bytes) -> Classifier:
    """A classifier of a TFLite file, with or without binary convolutions, on one thread.

    Args:
        flatbuffer: the file, with one float32 input, of any fixed number of images, and one
            float32 output.

    Raises:
        ValueError: it is no such file, is damaged, or holds operators that the engine lacks.
    """
    # Three to four times as fast as the other on x86, which "optimized" has no assembly for.
    kernel = KERNELS["optimized" if platform.machine() in ARM else "indirect bgemm"]
    try:
        tensorflow_lite(flatbuffer)  # checks what the engine takes on trust, and crashes on
        interpreter = Interpreter(flatbuffer, num_threads=1, **kernel).interpreter
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"`flatbuffer` must be a TFLite file that Larq Compute Engine can run: {error}"
        ) from error

    def predict(images: np.ndarray) -> np.ndarray:
        return interpreter.predict([images])[0]

    inputs = map(tf.TensorSpec, interpreter.input_shapes, interpreter.input_types)
    outputs = map(tf.TensorSpec, interpreter.output_shapes, interpreter.output_types)
    return classifier(predict, list(inputs), list(outputs))
