"""Batches of images that are decoded when needed, as ImageNet's must be, without broken images."""

import os
import re
import sys
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from recu_tf.data.disk.augmentation import RANDOM_NUMBERS
from recu_tf.data.disk.decoding import decode
from recu_tf.data.disk.image_sources import ImageSource
from recu_tf.data.normalization import Normalization
from recu_tf.data.sampling import Sampler

__all__ = [
    "BrokenImages",
    "describe_broken_image",
    "make_evaluation_stream",
    "make_training_stream",
]

UNREADABLE = "cannot be read: it is damaged, cut off, or not a JPEG, PNG, GIF or colour BMP image."
# Batches decoded at the same time: the next begins while the last images of the first are decoded.
BATCHES_AT_ONCE = 2


def describe_broken_image(error: tf.errors.OpError) -> str | None:
    """The line about a broken image in an error of TensorFlow; None if it is another error."""
    found = re.search(r"`data_path`: .*? " + re.escape(UNREADABLE), error.message, re.DOTALL)
    return found and found[0]


def _stop_unless(condition: tf.Tensor, names: tf.Tensor) -> tf.Operation:
    line = tf.strings.join(["`data_path`: ", tf.concat([names, [""]], 0)[0], " ", UNREADABLE])
    return tf.debugging.Assert(condition, [line])


class BrokenImages:
    """Leaves out images that cannot be read, or stops at the first.

    Attributes:
        skip: True leaves them out, and names each once on stderr; False stops.
    """

    def __init__(self, skip: bool):
        self.skip = skip
        self._named = set()

    def _print_names(self, names: np.ndarray) -> np.int64:
        for name in sorted({name.decode() for name in names} - self._named):
            print(f"Left out: {name} {UNREADABLE}", file=sys.stderr)
            self._named.add(name)
        return np.int64(0)

    def handle(self, names: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Prints the names of broken images, or stops at the first.

        Args:
            names: string (broken,), empty for nearly every batch.
            labels: of the good images of the batch, int64.

        Returns:
            The labels, made to depend on the handling, which therefore runs before they are used.
        """
        if self.skip:
            # Python runs only if an image is broken. Its result, 0, is added to the labels, as
            # TensorFlow would otherwise remove the call.
            return labels + tf.cond(
                tf.size(names) > 0,
                lambda: tf.numpy_function(self._print_names, [names], tf.int64, stateful=False),
                lambda: tf.constant(0, tf.int64),
            )
        with tf.control_dependencies([_stop_unless(tf.size(names) == 0, names)]):
            return tf.identity(labels)


def _decode_batch(
    images: tf.data.Dataset,
    decode_image: Callable,
    size: int,
    instead: tf.data.Dataset | None = None,
) -> tuple[tf.Tensor, ...]:
    """The batch of all images that can be read, in order, decoded on all cores.

    Args:
        images: of the batch.
        decode_image: decodes a single image; raises an error if it is broken.
        size: images in the batch, at most.
        instead: its first good image becomes the batch if no image of the batch is good.
    """
    decoded = images.map(decode_image, num_parallel_calls=os.cpu_count()).ignore_errors()
    batches = decoded.batch(size)
    if instead is not None:
        batches = batches.concatenate(instead.map(decode_image).ignore_errors().take(1).batch(1))
    empty = tf.nest.map_structure(
        lambda spec: tf.zeros([0, *spec.shape], spec.dtype), decoded.element_spec
    )
    return batches.concatenate(tf.data.Dataset.from_tensors(empty)).take(1).get_single_element()


def _normalize_single(normalization: Normalization) -> Callable[[tf.Tensor], tf.Tensor]:
    # A single image stays in the processor's cache; a batch would pass through memory.
    return lambda image: normalization(image[None])[0]


def _find_missing(names: tf.Tensor, good: tf.Tensor) -> tf.Tensor:
    """The names whose rows are not among the good rows."""
    rows = tf.range(tf.size(names, tf.int64))
    return tf.boolean_mask(names, ~tf.reduce_any(rows[:, None] == good, axis=1))


def make_training_stream(
    source: ImageSource,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    normalization: Normalization,
    broken: BrokenImages,
    sampler: Sampler,
) -> tf.data.Dataset:
    """Shuffled, augmented, normalised batches of all epochs, without a gap between epochs.

    A step needs an image: a batch of which every image is broken becomes the first good image of
    the data set.

    Args:
        source: of the images.
        augment: from an encoded image and its random numbers to uint8 of a fixed size.
        normalization: of the images.
        broken: handles images that cannot be read.
        sampler: of the images.

    Returns:
        A data set of (float32 images, int64 labels).
    """

    normalize = _normalize_single(normalization)

    def decode_row(row, place, label, numbers):
        return row, normalize(augment(source.read(place), numbers)), label

    def make_batch(step, begin, end, whole):
        places, labels, names = (values[begin:end] for values in whole)
        shape = [sampler.batch_size, RANDOM_NUMBERS]
        numbers = tf.random.stateless_uniform(shape, sampler.derive_seed(step))[begin:end]
        rows = tf.range(end - begin)
        images = tf.data.Dataset.from_tensor_slices((rows, places, labels, numbers))
        no_row = tf.constant(-1, tf.int64)
        instead = source.images.map(lambda place, label, _: (no_row, place, label, numbers[0]))
        good, pixels, labels = _decode_batch(
            images, decode_row, sampler.shard_size, instead if broken.skip else None
        )
        labels = broken.handle(_find_missing(names, good), labels)
        with tf.control_dependencies([_stop_unless(tf.size(labels) > 0, names)]):
            return pixels, tf.identity(labels)

    batches = sampler.make_batches(source.shuffle(sampler))
    return batches.map(make_batch, num_parallel_calls=BATCHES_AT_ONCE).prefetch(2)


def make_evaluation_stream(
    source: ImageSource,
    prepare: Callable[[tf.Tensor], tf.Tensor],
    normalization: Normalization,
    broken: BrokenImages,
    batch_size: int,
) -> tf.data.Dataset:
    """Normalised batches in order, each image once.

    Args:
        source: of the images.
        prepare: from a decoded image to uint8 of a fixed size.
        normalization: of the images.
        broken: handles images that cannot be read.
        batch_size: images per batch; the last batch may be smaller, and batches with broken images
            are.

    Returns:
        A data set of (float32 images, int64 labels).
    """

    normalize = _normalize_single(normalization)

    def decode_row(row, place, label):
        return row, normalize(prepare(decode(source.read(place)))), label

    def make_batch(places, labels, names):
        rows = tf.range(tf.size(names, tf.int64))
        images = tf.data.Dataset.from_tensor_slices((rows, places, labels))
        good, pixels, labels = _decode_batch(images, decode_row, batch_size)
        return pixels, broken.handle(_find_missing(names, good), labels)

    batches = source.images.batch(batch_size).map(make_batch, num_parallel_calls=BATCHES_AT_ONCE)
    return batches.filter(lambda _, labels: tf.size(labels) > 0).prefetch(2)
