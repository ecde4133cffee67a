"""Labels of the caller's own data: whole numbers, or one-hot vectors, in arrays and in tf.data."""

import numpy as np
import tensorflow as tf

__all__ = ["check_label_spec", "count_classes", "read_labels", "take_labels"]


def read_labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Reads the labels of all images.

    Args:
        labels: integers (count,) or (count, 1), or one-hot vectors (count, classes).
        name: of the part of the data, for the error.

    Returns:
        int64 (count,).

    Raises:
        ValueError: they are neither.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:  # as tf.keras.datasets gives those of CIFAR
        labels = labels[:, 0]
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.ndim == 2 and labels.dtype.kind in "iufb":
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise ValueError(
                f"`data` must have one-hot labels of zeros and a single 1 each, or integers; the "
                f"{name} labels have other rows."
            )
        return labels.argmax(axis=1).astype(np.int64)
    raise ValueError(
        f"`data` must have labels that are integers (count,) or one-hot (count, classes), got "
        f"{name} labels {labels.dtype} of shape {labels.shape}."
    )


def count_classes(labels: np.ndarray) -> int | None:
    """The number of classes that one-hot labels (count, classes) show; None for integers."""
    return labels.shape[1] if labels.ndim == 2 and labels.shape[1] > 1 else None


def check_label_spec(spec: tf.TensorSpec, name: str) -> int | None:
    """Checks what is known of the labels of batches before any is read.

    Args:
        spec: of the labels of a batch.
        name: of the part of the data, for the error.

    Returns:
        The number of classes that one-hot labels (batch, classes) show; None for integers.

    Raises:
        ValueError: they are neither integers (batch,) nor one-hot vectors.
    """
    rank = spec.shape.rank
    if rank == 1 and spec.dtype.is_integer:
        return None
    if rank == 2 and spec.shape[1] is not None:
        classes = spec.shape[1]
        if classes > 1 and (spec.dtype.is_integer or spec.dtype.is_floating or spec.dtype.is_bool):
            return classes
        if classes == 1 and spec.dtype.is_integer:
            return None
    raise ValueError(
        f"`data` must have labels that are integers (batch,) or one-hot (batch, classes), got "
        f"{name} labels {spec.dtype.name} of shape {spec.shape}."
    )


def take_labels(labels: tf.Tensor, num_classes: int) -> tf.Tensor:
    """The labels of a batch, checked when the batch is read.

    Args:
        labels: as `check_label_spec` accepts them.
        num_classes: of the network.

    Returns:
        int64 (batch,).

    Raises:
        tf.errors.InvalidArgumentError: a label is none of the classes, or a row is not one-hot; see
            `recu_tf.data.own.streamed_batches`.
    """
    if labels.shape.rank == 2 and labels.shape[1] > 1:
        values = tf.cast(labels, tf.float32)
        is_right = tf.reduce_all((values == 0) | (values == 1), axis=1)
        is_right &= tf.reduce_sum(values, axis=1) == 1
        message = "`data` must have one-hot labels of zeros and a single 1 each, or integers."
        found = tf.argmax(values, axis=1)
    else:
        found = tf.cast(tf.reshape(labels, [-1]), tf.int64)
        is_right = (found >= 0) & (found < num_classes)
        message = f"`data` must have labels from 0 to {num_classes - 1}, the classes."
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(is_right), [message])]):
        return tf.identity(found)
