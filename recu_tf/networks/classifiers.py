"""Classifiers: functions from any number of images to outputs, whatever runs the network."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

__all__ = ["Classifier", "make_classifier", "make_keras_classifier", "split_into_batches"]


class Classifier(NamedTuple):
    """A trained network that can be evaluated.

    Attributes:
        predict: from normalised float32 images (batch, height, width, channels), any number of
            them, to outputs (batch, classes).
        input_shape: (height, width, channels) of the images; (None, None, channels) where any
            size will do.
        classes: number of outputs; None where only a prediction shows it.
    """

    predict: Callable[[tf.Tensor], np.ndarray]
    input_shape: tuple[int | None, ...]
    classes: int | None


def split_into_batches(size: int, images: np.ndarray) -> list[np.ndarray]:
    """Splits images into batches of one size; zeros fill up the last one.

    Args:
        size: images of a batch.
        images: (count, ...), one or more.
    """
    filled = np.pad(images, [(0, -len(images) % size), *[(0, 0)] * (images.ndim - 1)])
    return [filled[at : at + size] for at in range(0, len(filled), size)]


def _predict_in_batches(
    size: int, predict: Callable[[np.ndarray], np.ndarray]
) -> Callable[[tf.Tensor], np.ndarray]:
    """Makes a function for any number of images from one that takes exactly `size`."""

    def predict_any(images: tf.Tensor) -> np.ndarray:
        outputs = [predict(batch) for batch in split_into_batches(size, np.asarray(images))]
        return np.concatenate(outputs)[: len(images)]

    return predict_any


def make_classifier(
    predict: Callable[[np.ndarray], np.ndarray],
    inputs: list[tf.TensorSpec],
    outputs: list[tf.TensorSpec],
) -> Classifier:
    """Makes a classifier from a function whose inputs and outputs are those of one.

    Args:
        predict: from images to outputs of these shapes, as many at a time as its input says.
        inputs: must be one, (batch, height, width, channels) of a floating type.
        outputs: must be one, (batch, classes).

    Raises:
        ValueError: the inputs or outputs are others.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"the network must have one input and one output, got {len(inputs)} and {len(outputs)}"
        )
    (images,), (values,) = inputs, outputs
    if images.shape.rank not in (None, 4) or values.shape.rank not in (None, 2):
        raise ValueError(
            "the network must map (batch, height, width, channels) to (batch, classes), got "
            f"{images.shape} to {values.shape}"
        )
    if not (images.dtype.is_floating and values.dtype.is_floating):
        raise ValueError(
            "the network must map floating-point numbers to floating-point numbers, got "
            f"{images.dtype.name} and {values.dtype.name}"
        )
    size, *shape = images.shape if images.shape.rank else [None] * 4
    return Classifier(
        predict if size is None else _predict_in_batches(size, predict),
        tuple(shape),
        values.shape[1] if values.shape.rank else None,
    )


def make_keras_classifier(model: tf.keras.Model) -> Classifier:
    """Makes a classifier from a Keras model.

    Args:
        model: from images to logits or probabilities.

    Raises:
        ValueError: it has other inputs or outputs.
    """
    inputs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]
    outputs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.outputs]
    # One trace for all batches, the smaller last one included.
    predict = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec(inputs[0].shape, tf.float32)],
    )
    return make_classifier(predict, inputs, outputs)
