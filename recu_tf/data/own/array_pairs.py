"""The caller's own images and labels in arrays, as batches."""

import hashlib

import numpy as np
import tensorflow as tf

from recu_tf.data.own.labels import count_classes, read_labels
from recu_tf.data.sampling import Sampler

__all__ = ["ArrayPair", "make_array_batches", "make_array_evaluation", "read_pair"]


class ArrayPair:
    """Images (count, ...) and a label for each, in memory.

    Attributes:
        images: uint8 or float32.
        labels: int64 (count,).
        num_classes: as one-hot labels show it, else one more than the largest label.
        is_one_hot: whether the labels were one-hot.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, name: str):
        if images.dtype.kind not in "iufb" or images.ndim < 2:
            raise ValueError(
                f"`data` must have images that are numbers (count, height, width, channels), got "
                f"{name} images {images.dtype} of shape {images.shape}."
            )
        if not len(images) or labels.shape[:1] != images.shape[:1]:
            raise ValueError(
                f"`data` must have one or more images and a label for each, got {len(images)} "
                f"{name} images and labels of shape {labels.shape}."
            )
        self.images = images if images.dtype in (np.uint8, np.float32) else np.float32(images)
        self.labels = read_labels(labels, name)
        one_hot = count_classes(labels)
        self.is_one_hot = one_hot is not None
        self.num_classes = one_hot or int(self.labels.max()) + 1

    def select(self, rows: np.ndarray) -> "ArrayPair":
        """Some of the images."""
        pair = object.__new__(ArrayPair)
        pair.images, pair.labels = self.images[rows], self.labels[rows]
        pair.num_classes, pair.is_one_hot = self.num_classes, self.is_one_hot
        return pair

    def check_labels(self, num_classes: int, name: str) -> None:
        """Refuses labels that are none of the classes.

        Raises:
            ValueError: there are some, or one-hot labels have another length.
        """
        if self.is_one_hot and self.num_classes != num_classes:
            raise ValueError(
                f"`data` must have one-hot labels of {num_classes} classes, got {name} labels of "
                f"{self.num_classes}."
            )
        least, most = int(self.labels.min()), int(self.labels.max())
        if least < 0 or most >= num_classes:
            raise ValueError(
                f"`data` must have labels from 0 to {num_classes - 1}, the classes, got {name} "
                f"labels from {least} to {most}."
            )

    def describe(self) -> dict:
        """What tells these images from others, of JSON's types."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return {"images": list(self.images.shape), "sha256": digest.hexdigest()}


def read_pair(pair: object, name: str) -> ArrayPair:
    """Reads (images, labels).

    Args:
        pair: two arrays, or what NumPy makes arrays of.
        name: "training" or "validation", for the error.

    Raises:
        ValueError: they are no images with a label each.
    """
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(
            f"`data` must be two tf.data.Datasets of batches, or arrays ((images, labels), "
            f"(images, labels)), got {type(pair).__name__} for the {name} images."
        )
    try:
        images, labels = (np.asarray(part) for part in pair)
    except (ValueError, TypeError) as error:
        raise ValueError(f"`data` must have arrays of one shape: {name} images: {error}") from error
    return ArrayPair(images, labels, name)


def make_array_batches(pair: ArrayPair, sampler: Sampler) -> tf.data.Dataset:
    """Shuffled batches of all epochs, not augmented, without a gap between epochs.

    Args:
        pair: the images.
        sampler: of the images.

    Returns:
        A data set of (float32 images, int64 labels).
    """
    images, labels = tf.constant(pair.images), tf.constant(pair.labels)

    def make_batch(step, begin, end, indices):
        chosen = indices[begin:end]
        return tf.cast(tf.gather(images, chosen), tf.float32), tf.gather(labels, chosen)

    return sampler.make_batches(sampler.make_rows).map(make_batch, tf.data.AUTOTUNE).prefetch(4)


def make_array_evaluation(pair: ArrayPair, batch_size: int) -> tf.data.Dataset:
    """Batches of (float32 images, int64 labels) in order, each image once."""
    batches = tf.data.Dataset.from_tensor_slices((pair.images, pair.labels)).batch(batch_size)
    return batches.map(_cast, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _cast(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(images, tf.float32), labels
