"""From images in memory to batches: shuffling, augmentation and normalisation in tf.data."""

import numpy as np
import tensorflow as tf

from recu_tf.data.normalization import Normalization
from recu_tf.data.sampling import Sampler

__all__ = [
    "PADDING",
    "augment",
    "make_test_batches",
    "make_training_batches",
    "pad_for_crops",
]

# As published.
PADDING = 4


def _check_images(images: np.ndarray, labels: np.ndarray) -> None:
    """Refuses anything but uint8 images (count, height, width, channels) with a label each."""
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "`images` must be uint8 of shape (count, height, width, channels), "
            f"got {images.dtype} of shape {images.shape}."
        )
    if labels.shape != images.shape[:1] or not len(images):
        raise ValueError(
            f"`labels` must hold one label for each of the {len(images)} images, "
            f"got shape {labels.shape}."
        )


def pad_for_crops(images: np.ndarray) -> np.ndarray:
    """Adds zeros at the bottom and the right, as `augment` needs them.

    Args:
        images: uint8 (count, height, width, channels).

    Returns:
        uint8 (count, side + 1, side + 1, channels), where side is the smallest power of two that is
        at least the height and the width.
    """
    height, width = images.shape[1:3]
    side = 1 << (max(height, width) - 1).bit_length()
    return np.pad(images, ((0, 0), (0, side + 1 - height), (0, side + 1 - width), (0, 0)))


def augment(
    padded_images: tf.Tensor,
    size: tuple[int, int],
    indices: tf.Tensor,
    seed: tf.Tensor,
    *,
    flip: bool,
    padding: int = PADDING,
    rows: tf.Tensor | None = None,
) -> tf.Tensor:
    """Picks images and shifts each at random: pad with pixel 0, crop, flip half of them.

    A single operation does it for the whole batch: a crop that may reach over the edge, where it
    finds zeros, with its left and right exchanged for a flip. The operation measures positions in
    units of the side length minus 1. `pad_for_crops` makes that a power of two, so no position is
    rounded and every pixel is copied unchanged.

    Args:
        padded_images: uint8 (count, side + 1, side + 1, channels), from `pad_for_crops`.
        size: (height, width) of the images without that padding.
        indices: int32 (batch,), the images of the batch.
        seed: int32 (2,), decides the shifts and flips of the whole batch.
        flip: whether to mirror half of the images.
        padding: pixels by which an image is shifted at most.
        rows: int (shard,), the rows of the batch to return; None means all of them.

    Returns:
        float32 (shard, height, width, channels), pixels from 0 to 255.
    """
    height, width = size
    side = padded_images.shape[1] - 1
    count = tf.shape(indices)[0]
    shift_seed, flip_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    shifts = tf.random.stateless_uniform([2, count], shift_seed, -padding, padding + 1, tf.int32)
    top, left = tf.unstack(tf.cast(shifts, tf.float32))
    bottom, right = top + (height - 1), left + (width - 1)
    if flip:
        flipped = tf.random.stateless_uniform([count], flip_seed) < 0.5
        left, right = tf.where(flipped, right, left), tf.where(flipped, left, right)
    boxes = tf.stack([top, left, bottom, right], axis=1) / side
    if rows is not None:
        boxes, indices = tf.gather(boxes, rows), tf.gather(indices, rows)
    return tf.image.crop_and_resize(padded_images, boxes, indices, size, "nearest")


def make_training_batches(
    images: np.ndarray,
    labels: np.ndarray,
    normalization: Normalization,
    flip: bool,
    sampler: Sampler,
    *,
    padding: int = PADDING,
) -> tf.data.Dataset:
    """Shuffled, augmented, normalised batches of all epochs, without a gap between epochs.

    Args:
        images: uint8 (count, height, width, channels).
        labels: int (count,).
        normalization: of the images.
        flip: whether images may be mirrored.
        sampler: of the images.
        padding: pixels by which an image is shifted at most, see `augment`.

    Returns:
        A data set of (float32 images, int64 labels).

    Raises:
        ValueError: the images are not uint8 or do not match the labels.
    """
    _check_images(images, labels)
    padded = tf.constant(pad_for_crops(images))
    size = images.shape[1:3]
    labels = tf.constant(labels, tf.int64)

    def make_batch(step, begin, end, indices):
        rows = tf.range(begin, begin + sampler.shard_size)
        rows = tf.minimum(tf.ensure_shape(rows, [sampler.shard_size]), sampler.batch_size - 1)
        pixels = augment(
            padded, size, indices, sampler.derive_seed(step), flip=flip, padding=padding, rows=rows
        )
        targets = tf.gather(labels, tf.gather(indices, rows))
        return normalization(pixels)[: end - begin], targets[: end - begin]

    # Small batches: four of them are enough to stay ahead of any training step.
    return sampler.make_batches(sampler.make_rows).map(make_batch, tf.data.AUTOTUNE).prefetch(4)


def make_test_batches(
    images: np.ndarray, labels: np.ndarray, normalization: Normalization, batch_size: int
) -> tf.data.Dataset:
    """Normalised batches in order, each image once.

    Args:
        images: uint8 (count, height, width, channels).
        labels: int (count,).
        normalization: of the images.
        batch_size: images per batch; the last batch may be smaller.

    Returns:
        A data set of float32 images (batch, height, width, channels) and int64 labels (batch,).

    Raises:
        ValueError: the images are not uint8 or do not match the labels.
    """
    _check_images(images, labels)
    batches = tf.data.Dataset.from_tensor_slices((images, labels.astype(np.int64)))
    batches = batches.batch(batch_size)
    return batches.map(
        lambda pixels, targets: (normalization(pixels), targets),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).prefetch(tf.data.AUTOTUNE)
