"""Images decoded as they are needed, as ImageNet's have to be, in batches without broken ones."""

import os
import re
import sys
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from recu_tf.data.disk.augmentation import RANDOM_NUMBERS
from recu_tf.data.disk.decoding import decoded
from recu_tf.data.disk.image_sources import Source
from recu_tf.data.memory.batches import Normalization
from recu_tf.data.sampling import Order

__all__ = ["BrokenImages", "broken_image", "evaluation_stream", "training_stream"]

UNREADABLE = "cannot be read: it is damaged, cut off, or no JPEG, PNG, GIF or colour BMP image."
# So many batches are decoded at the same time: the next begins while the last images of one are on.
BATCHES_AT_ONCE = 2


def broken_image(error: tf.errors.OpError) -> str | None:
    """The one line about a broken image that an error of TensorFlow carries, if it does."""
    found = re.search(r"`data_path`: .*? " + re.escape(UNREADABLE), error.message, re.DOTALL)
    return found and found[0]


def _stop_unless(condition: tf.Tensor, names: tf.Tensor) -> tf.Operation:
    line = tf.strings.join(["`data_path`: ", tf.concat([names, [""]], 0)[0], " ", UNREADABLE])
    return tf.debugging.Assert(condition, [line])


class BrokenImages:
    """What to do about images that cannot be read.

    Attributes:
        skip: whether to leave them out, each named once on stderr, rather than to stop.
    """

    def __init__(self, skip: bool):
        self.skip = skip
        self._named = set()

    def _name(self, names: np.ndarray) -> np.int64:
        for name in sorted({name.decode() for name in names} - self._named):
            print(f"Left out: {name} {UNREADABLE}", file=sys.stderr)
            self._named.add(name)
        return np.int64(0)

    def noticed(self, names: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Names broken images, or stops at the first.

        Args:
            names: string (broken,), empty for nearly every batch.
            labels: of the good images of the batch, int64.

        Returns:
            The labels. Who uses them has noticed.
        """
        if self.skip:
            # No Python runs where nothing is broken. Its result is 0, and added, or TensorFlow
            # would see no need to run it.
            return labels + tf.cond(
                tf.size(names) > 0,
                lambda: tf.numpy_function(self._name, [names], tf.int64, stateful=False),
                lambda: tf.constant(0, tf.int64),
            )
        with tf.control_dependencies([_stop_unless(tf.size(names) == 0, names)]):
            return tf.identity(labels)


def _decoded_batch(
    images: tf.data.Dataset, decode: Callable, size: int, instead: tf.data.Dataset | None = None
) -> tuple[tf.Tensor, ...]:
    """One batch of those images that can be read, in order, decoded on all cores.

    Args:
        images: of the batch.
        decode: of one image; raises an error where that is broken.
        size: images in the batch, at most.
        instead: the first good one of these makes up a batch that would have none.
    """
    one_by_one = images.map(decode, num_parallel_calls=os.cpu_count()).ignore_errors()
    batches = one_by_one.batch(size)
    if instead is not None:
        batches = batches.concatenate(instead.map(decode).ignore_errors().take(1).batch(1))
    empty = tf.nest.map_structure(
        lambda spec: tf.zeros([0, *spec.shape], spec.dtype), one_by_one.element_spec
    )
    return batches.concatenate(tf.data.Dataset.from_tensors(empty)).take(1).get_single_element()


def _one_by_one(normalization: Normalization) -> Callable[[tf.Tensor], tf.Tensor]:
    # An image stays in the processor's cache, where a batch would pass through memory.
    return lambda image: normalization(image[None])[0]


def _missing(names: tf.Tensor, good: tf.Tensor) -> tf.Tensor:
    """The names whose rows are not among the good ones."""
    rows = tf.range(tf.size(names, tf.int64))
    return tf.boolean_mask(names, ~tf.reduce_any(rows[:, None] == good, axis=1))


def training_stream(
    source: Source,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    normalization: Normalization,
    broken: BrokenImages,
    order: Order,
) -> tf.data.Dataset:
    """Shuffled, augmented, normalised batches of all epochs, one behind the other.

    A step needs an image: a batch of broken ones takes the first of the data set that is good.

    Args:
        source: of the images.
        augment: from an encoded image and its random numbers to uint8 of a fixed size.
        normalization: of the images.
        broken: what to do about images that cannot be read.
        order: of the images.

    Returns:
        A data set of (float32 images, int64 labels).
    """

    normalized = _one_by_one(normalization)

    def decode(row, place, label, numbers):
        return row, normalized(augment(source.contents(place), numbers)), label

    def batch(step, begin, end, parts):
        places, labels, names = (part[begin:end] for part in parts)
        shape = [order.batch_size, RANDOM_NUMBERS]
        numbers = tf.random.stateless_uniform(shape, order.step_seed(step))[begin:end]
        rows = tf.range(end - begin)
        images = tf.data.Dataset.from_tensor_slices((rows, places, labels, numbers))
        no_row = tf.constant(-1, tf.int64)
        instead = source.images.map(lambda place, label, _: (no_row, place, label, numbers[0]))
        good, pixels, labels = _decoded_batch(
            images, decode, order.part_size, instead if broken.skip else None
        )
        labels = broken.noticed(_missing(names, good), labels)
        with tf.control_dependencies([_stop_unless(tf.size(labels) > 0, names)]):
            return pixels, tf.identity(labels)

    batches = order.batches(source.shuffled(order))
    return batches.map(batch, num_parallel_calls=BATCHES_AT_ONCE).prefetch(2)


def evaluation_stream(
    source: Source,
    prepare: Callable[[tf.Tensor], tf.Tensor],
    normalization: Normalization,
    broken: BrokenImages,
    batch_size: int,
) -> tf.data.Dataset:
    """Normalised batches in order, each image once.

    Args:
        source: of the images.
        prepare: from a decoded image to one of a fixed size.
        normalization: of the images.
        broken: what to do about images that cannot be read.
        batch_size: the last batch may be smaller, and those with broken images are.

    Returns:
        A data set of (float32 images, int64 labels).
    """

    normalized = _one_by_one(normalization)

    def decode(row, place, label):
        return row, normalized(prepare(decoded(source.contents(place)))), label

    def batch(places, labels, names):
        rows = tf.range(tf.size(names, tf.int64))
        images = tf.data.Dataset.from_tensor_slices((rows, places, labels))
        good, pixels, labels = _decoded_batch(images, decode, batch_size)
        return pixels, broken.noticed(_missing(names, good), labels)

    batches = source.images.batch(batch_size).map(batch, num_parallel_calls=BATCHES_AT_ONCE)
    return batches.filter(lambda _, labels: tf.size(labels) > 0).prefetch(2)
