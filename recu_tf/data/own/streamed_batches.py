"""The caller's own `tf.data.Dataset` of batches, which are taken as they are."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from recu_tf.data.own.labels import check_label_spec, take_labels

__all__ = ["StreamedSet", "check_batches", "count_batches", "describe_wrong_batch", "take_batches"]


def describe_wrong_batch(error: tf.errors.OpError) -> str | None:
    """The line about a wrong batch in an error of TensorFlow; None if it is another error."""
    found = re.search(r"`data` must have .*?\.(?=[\]\s]|$)", error.message, re.DOTALL)
    return found and found[0]


def check_batches(batches: tf.data.Dataset, name: str) -> tuple[tuple[int | None, ...], int | None]:
    """Checks what is known of batches before any is read.

    Args:
        batches: to check.
        name: "training" or "validation", for the error.

    Returns:
        The shape of an image, None where it is open, and the number of classes that one-hot labels
        show, None for integers.

    Raises:
        ValueError: they are no batches of (images, labels).
    """
    spec = batches.element_spec
    pair = spec if isinstance(spec, tuple) and len(spec) == 2 else ()
    if not pair or not all(isinstance(part, tf.TensorSpec) for part in pair):
        raise ValueError(
            f"`data` must be batches of (images, labels), got {name} batches of "
            f"{pair or type(spec).__name__}."
        )
    images, labels = pair
    if not (images.dtype.is_floating or images.dtype.is_integer) or (images.shape.rank or 0) < 2:
        raise ValueError(
            "`data` must have batches of images (batch, height, width, channels), numbers of a "
            f"known rank, got {name} images {images.dtype.name} of shape {images.shape}; a data "
            "set of single images needs .batch(n)."
        )
    return tuple(images.shape[1:]), check_label_spec(labels, name)


def count_batches(batches: tf.data.Dataset, name: str) -> int:
    """The number of batches of an epoch.

    Raises:
        ValueError: there is none, or their number is infinite or unknown.
    """
    count = int(batches.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            f"`data` must have an end: the {name} batches repeat for ever; leave out .repeat(), or "
            "add .take(n) for n batches an epoch."
        )
    if count == tf.data.UNKNOWN_CARDINALITY:
        raise ValueError(
            f"`data` must have a known number of {name} batches; state it with "
            ".apply(tf.data.experimental.assert_cardinality(n))."
        )
    if not count:
        raise ValueError(f"`data` must have at least one batch, got no {name} batches.")
    return count


def take_batches(
    batches: tf.data.Dataset, image_shape: tuple[int, ...], num_classes: int
) -> tf.data.Dataset:
    """The same batches as (float32 images, int64 labels), checked when they are read.

    Args:
        batches: that `check_batches` accepts.
        image_shape: of an image.
        num_classes: of the network.
    """

    def take(images, labels):
        images = tf.ensure_shape(tf.cast(images, tf.float32), [None, *image_shape])
        return images, take_labels(labels, num_classes)

    return batches.map(take, tf.data.AUTOTUNE)


@dataclass
class StreamedSet:
    """Training batches of the caller, with the interface of `recu_tf.data.TrainingSet`.

    Attributes:
        given: the batches of an epoch.
        image_shape: of an image.
        num_classes: number of classes.
        class_names: in the order of the labels; None where the classes have no names.
        number: of the batches of an epoch.
        count: of the images of an epoch, which is not known.
        begun: the number of epochs that have been begun.
    """

    given: tf.data.Dataset
    image_shape: tuple[int, ...]
    num_classes: int
    class_names: tuple[str, ...] | None
    number: int
    count: None = None
    begun: int = 0

    def steps(self, batch_size: int, shards: int = 1) -> int:
        """The number of steps of an epoch: that of the given batches, whatever their size."""
        return self.number

    def batches(
        self,
        batch_size: int,
        epochs: int,
        seed: int,
        *,
        first_step: int = 0,
        shards: int = 1,
        own_shards: tuple[int, ...] = (0,),
    ) -> tf.data.Dataset:
        """The given batches of all epochs, in the order in which they come.

        From a later step on they are what they would have been, if the data set depends on seeds
        alone: of the epochs before, each is begun, so that `shuffle(..., seed=...)`, which orders
        every epoch anew, goes on from there, but nothing of it is read. Called again, it begins
        where the last of the epochs that it was called for ended.

        Args:
            batch_size: not used.
            epochs: the one to stop before, counted from 0 over the whole training.
            seed: not used.
            first_step: the step to begin at, counted from 0 over all epochs.
            shards: into how many shards, of nearly equal size, each batch is cut.
            own_shards: the shards to return, in ascending order.

        Returns:
            A data set of (float32 images, int64 labels), for each step an element per own shard.
        """
        first_epoch, first_batch = divmod(first_step, self.number)
        for _ in range(self.begun, first_epoch):
            iter(self.given)  # draws the seed of that epoch's order
        self.begun = epochs
        batches = take_batches(self.given, self.image_shape, self.num_classes)

        def read_epoch(epoch):
            skipped = tf.where(epoch == first_epoch, first_batch, 0)
            return batches.skip(tf.cast(skipped, tf.int64))

        order = tf.data.Dataset.range(first_epoch, epochs).flat_map(read_epoch)
        if shards > 1:
            order = order.flat_map(_cut_into(shards, own_shards))
        return order.prefetch(2)


def _cut_into(shards: int, own_shards: tuple[int, ...]) -> Callable:
    def cut(images, labels):
        size = tf.size(labels, tf.int64)
        message = f"`data` must have {shards} images or more in each batch, one for each device."
        with tf.control_dependencies([tf.debugging.Assert(size >= shards, [message])]):
            own = tf.constant(own_shards, tf.int64)

        def take_shard(shard):
            rows = slice(shard * size // shards, (shard + 1) * size // shards)
            return images[rows], labels[rows]

        return tf.data.Dataset.from_tensor_slices(own).map(take_shard)

    return cut
