"""Test images that are decoded and cut as they are needed, as ImageNet's have to be."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from recu_tf.data.batches import Normalization
from recu_tf.data.cifar import import_tfds, unreadable
from recu_tf.data.files import ImageFiles

__all__ = [
    "Encoded",
    "encoded_files",
    "encoded_imagenet",
    "shorter_side_crop",
    "streamed_batches",
    "whole_image",
]

SIZE = 224
SHORTER_SIDE = 256


class Encoded(NamedTuple):
    """Images as they lie on disk.

    Attributes:
        images: data set of (encoded image, int64 label), scalars.
        count: how many.
    """

    images: tf.data.Dataset
    count: int


def encoded_files(
    list_files: Callable[[str, str | None], ImageFiles], split: str, data_path: str | None
) -> Encoded:
    """Image files, read when needed."""
    files = list_files(split, data_path)
    images = tf.data.Dataset.from_tensor_slices((files.paths, tf.cast(files.labels, tf.int64)))
    return Encoded(
        images.map(lambda path, label: (tf.io.read_file(path), label), tf.data.AUTOTUNE),
        len(files.paths),
    )


def encoded_imagenet(split: str, data_path: str | None) -> Encoded:
    """ImageNet as tensorflow-datasets keeps it (`imagenet2012`).

    Args:
        split: "train" (1,281,167 images) or "test" (the 50,000 for validation).
        data_path: a data directory of tensorflow-datasets, its usual one if None.

    Raises:
        ImportError: tensorflow-datasets is not installed.
        OSError: the data set is not there, nor the archives to prepare it from.
    """
    tfds = import_tfds("imagenet")
    name = {"train": "train", "test": "validation"}[split]
    try:
        images, info = tfds.load(
            "imagenet2012",
            split=name,
            data_dir=data_path,
            decoders={"image": tfds.decode.SkipDecoding()},
            as_supervised=True,
            with_info=True,
        )
    except Exception as error:  # whatever the archives or the disk raise
        raise unreadable("imagenet", data_path, error) from error
    return Encoded(images, info.splits[name].num_examples)


def _rounded(pixels: tf.Tensor) -> tf.Tensor:
    # The published pipeline resizes with Pillow, which gives whole grey levels.
    return tf.clip_by_value(tf.round(pixels), 0, 255)


def shorter_side_crop(image: tf.Tensor) -> tf.Tensor:
    """ImageNet's test images: the shorter side to 256, the middle 224 by 224.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        float32 (224, 224, 3) of whole grey levels from 0 to 255.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    shorter = tf.minimum(height, width)
    # The longer side is cut to a whole number, as torchvision's is.
    size = tf.stack([height, width]) * SHORTER_SIDE // shorter
    resized = _rounded(tf.image.resize(image, size, antialias=True))
    # A half is rounded to the even number, as Python's round does there.
    top, left = tf.unstack(tf.cast(tf.round(tf.cast(size - SIZE, tf.float32) / 2), tf.int32))
    return tf.ensure_shape(resized[top : top + SIZE, left : left + SIZE], (SIZE, SIZE, 3))


def whole_image(image: tf.Tensor) -> tf.Tensor:
    """Tiny-ImageNet's test images: all of it, 224 by 224. Types and shapes as above."""
    return tf.ensure_shape(
        _rounded(tf.image.resize(image, (SIZE, SIZE), antialias=True)), (SIZE, SIZE, 3)
    )


def streamed_batches(
    encoded: Encoded,
    prepare: Callable[[tf.Tensor], tf.Tensor],
    normalization: Normalization,
    batch_size: int,
) -> tf.data.Dataset:
    """Normalised batches in order, each image once.

    Args:
        encoded: the images.
        prepare: from a decoded image to one of a fixed size.
        normalization: of the images.
        batch_size: the last batch may be smaller.

    Returns:
        A data set of (float32 images, int64 labels).
    """

    def decoded(image, label):
        pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
        return prepare(tf.ensure_shape(pixels, (None, None, 3))), label

    batches = encoded.images.map(decoded, tf.data.AUTOTUNE).batch(batch_size)
    return batches.map(
        lambda pixels, labels: (normalization(pixels), labels), tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)
