"""Which images each training step takes, whichever process asks and wherever a training resumes."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import tensorflow as tf

__all__ = ["Sampler", "count_steps"]


def count_steps(count: int, batch_size: int, shards: int = 1) -> int:
    """The number of batches of an epoch.

    Args:
        count: images of an epoch.
        batch_size: images per batch; the last batch may be smaller.
        shards: into how many shards each batch is cut; a last batch with fewer images than shards
            is left out.

    Raises:
        ValueError: even the first batch has fewer images than shards.
    """
    batch_size = min(batch_size, count)
    if not 1 <= shards <= batch_size:
        raise ValueError(
            f"`batch_size` must be at least 1 and have an image for each of {shards} shards, got "
            f"batches of {batch_size} images."
        )
    whole, rest = divmod(count, batch_size)
    return whole + (rest >= shards)


@dataclass(frozen=True)
class Sampler:
    """Draws the images of each training step, and the random numbers for their augmentation.

    Everything depends only on the seed, the epoch or step, and the position in the batch. Numbers
    are drawn for a whole batch and then cut, so a shard of a batch has the same numbers as in the
    whole batch, and a training resumed at a later step sees what it would have seen there.

    Attributes:
        count: images of an epoch.
        batch_size: images per step, at most `count`; the last batch of an epoch may be smaller.
        epochs: of the whole training.
        seed: of the whole training, from 0 to 2^31 - 1.
        first_step: the step to begin at, counted from 0 over all epochs.
        shards: into how many shards, of nearly equal size, each batch is cut.
        own_shards: the shards to return, in ascending order.

    Raises:
        ValueError: shards that do not exist, or more shards than images.
    """

    count: int
    batch_size: int
    epochs: int
    seed: int
    _: KW_ONLY
    first_step: int = 0
    shards: int = 1
    own_shards: tuple[int, ...] = (0,)

    def __post_init__(self):
        object.__setattr__(self, "batch_size", min(self.batch_size, self.count))
        object.__setattr__(self, "own_shards", tuple(self.own_shards))
        if self.first_step < 0:
            raise ValueError(f"`first_step` must be at least 0, got {self.first_step}.")
        count_steps(self.count, self.batch_size, self.shards)
        allowed = [shard for shard in range(self.shards) if shard in self.own_shards]
        if not allowed or list(self.own_shards) != allowed:
            raise ValueError(
                f"`own_shards` must be some of 0 ... {self.shards - 1} in ascending order, "
                f"got {self.own_shards}."
            )

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return count_steps(self.count, self.batch_size, self.shards)

    @property
    def shard_size(self) -> int:
        """Images of the largest shard."""
        return -(-self.batch_size // self.shards)

    def shuffle_epoch(self, epoch: tf.Tensor) -> tf.Tensor:
        """The images of an epoch: int32 (steps, batch size), the last row filled up with zeros.

        The shape is fixed, so that TensorFlow can estimate the cost of operations on it.
        """
        numbers = tf.random.stateless_uniform([self.count], tf.stack([self.seed, epoch]))
        order = tf.argsort(numbers)[: self.steps * self.batch_size]
        missing = max(0, self.steps * self.batch_size - self.count)
        return tf.reshape(tf.pad(order, [[0, missing]]), [self.steps, self.batch_size])

    def make_rows(self, epoch: tf.Tensor, skipped: tf.Tensor) -> tf.data.Dataset:
        """The batches of an epoch as rows of images: the `make_epoch` of images in memory."""
        return tf.data.Dataset.from_tensor_slices(self.shuffle_epoch(epoch)[skipped:])

    def derive_seed(self, step: tf.Tensor) -> tf.Tensor:
        """The seed, int32 (2,), of a step's random numbers; no epoch's seed equals it."""
        return tf.stack([self.seed, -1 - tf.cast(step, tf.int32)])

    def make_batches(
        self, make_epoch: Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]
    ) -> tf.data.Dataset:
        """The own shards of all batches from the first step on.

        Args:
            make_epoch: from the epoch (int32) and the number of its first batches to leave out
                (int64) to a data set of the remaining batches, each a tensor or several.

        Returns:
            A data set of (step, first row, end row, batch): each batch once for every own shard,
            with the rows of that shard; all int64 scalars except the batch.
        """
        first_epoch, first_step = divmod(self.first_step, self.steps)
        shards = tf.constant(self.own_shards, tf.int64)

        def cut_batch(step, batch):
            size = tf.minimum(self.count - step % self.steps * self.batch_size, self.batch_size)
            return tf.data.Dataset.from_tensor_slices(shards).map(
                lambda shard: (
                    step,
                    shard * size // self.shards,
                    (shard + 1) * size // self.shards,
                    batch,
                )
            )

        def number_batches(epoch):
            skipped = tf.where(epoch == first_epoch, tf.constant(first_step, tf.int64), 0)
            batches = make_epoch(epoch, skipped).take(self.steps - skipped)
            return batches.enumerate(tf.cast(epoch, tf.int64) * self.steps + skipped)

        epochs = tf.data.Dataset.range(first_epoch, self.epochs, output_type=tf.int32)
        return epochs.flat_map(number_batches).flat_map(cut_batch)
