"""Which images each training step takes: the same whoever asks, and wherever a training begins."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

__all__ = ["Order", "steps_of_epoch"]


def steps_of_epoch(count: int, batch_size: int, parts: int = 1) -> int:
    """How many batches an epoch has.

    Args:
        count: images of an epoch.
        batch_size: the last batch may be smaller.
        parts: how many parts each batch is cut into; a last batch with fewer images than these is
            left out.

    Raises:
        ValueError: not even one batch has an image for each part.
    """
    batch_size = min(batch_size, count)
    if not 1 <= parts <= batch_size:
        raise ValueError(
            f"`batch_size` must be at least 1 and have an image for each of {parts} parts, got "
            f"batches of {batch_size} images."
        )
    whole, rest = divmod(count, batch_size)
    return whole + (rest >= parts)


@dataclass(frozen=True)
class Order:
    """The order of a training's images, and the random numbers that go with it.

    Everything depends on the seed, the epoch or step, and the place in the batch alone: numbers
    are drawn for a whole batch and then cut, so a part of a batch is the same as in the whole, and
    a training that begins at a later step sees what it would have seen there.

    Attributes:
        count: images of an epoch.
        batch_size: images of a step; no more than there are. The last of an epoch may be smaller.
        epochs: of the whole training.
        seed: of the whole training, from 0 to 2^31 - 1.
        first_step: where to begin, counted from 0 over all epochs.
        parts: how many parts, of nearly the same size, each batch is cut into.
        own_parts: which of these to give, in ascending order.

    Raises:
        ValueError: parts that do not exist, or more of them than images.
    """

    count: int
    batch_size: int
    epochs: int
    seed: int
    first_step: int = 0
    parts: int = 1
    own_parts: tuple[int, ...] = (0,)

    def __post_init__(self):
        object.__setattr__(self, "batch_size", min(self.batch_size, self.count))
        object.__setattr__(self, "own_parts", tuple(self.own_parts))
        if self.first_step < 0:
            raise ValueError(f"`first_step` must be at least 0, got {self.first_step}.")
        steps_of_epoch(self.count, self.batch_size, self.parts)
        allowed = [part for part in range(self.parts) if part in self.own_parts]
        if not allowed or list(self.own_parts) != allowed:
            raise ValueError(
                f"`own_parts` must be some of 0 ... {self.parts - 1} in ascending order, "
                f"got {self.own_parts}."
            )

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return steps_of_epoch(self.count, self.batch_size, self.parts)

    @property
    def part_size(self) -> int:
        """Images of the largest part."""
        return -(-self.batch_size // self.parts)

    def shuffled(self, epoch: tf.Tensor) -> tf.Tensor:
        """The images of an epoch: int32 (steps, batch size), the last row filled up with zeros.

        Of a fixed size, TensorFlow knows what an operation costs.
        """
        numbers = tf.random.stateless_uniform([self.count], tf.stack([self.seed, epoch]))
        order = tf.argsort(numbers)[: self.steps * self.batch_size]
        missing = max(0, self.steps * self.batch_size - self.count)
        return tf.reshape(tf.pad(order, [[0, missing]]), [self.steps, self.batch_size])

    def step_seed(self, step: tf.Tensor) -> tf.Tensor:
        """The seed, int32 (2,), of what is random in a step: a number that no epoch has."""
        return tf.stack([self.seed, -1 - tf.cast(step, tf.int32)])

    def batches(
        self, epoch_batches: Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]
    ) -> tf.data.Dataset:
        """Own parts of all batches from the first step on.

        Args:
            epoch_batches: from the epoch (int32) and how many of its batches to leave out at the
                beginning (int64) to a data set of the others, each one tensor or several.

        Returns:
            A data set of (step, first row, end row, batch), each batch once for every own part
            with the rows that are in it; all int64 scalars but the batch.
        """
        first_epoch, first_step = divmod(self.first_step, self.steps)
        parts = tf.constant(self.own_parts, tf.int64)

        def own(step, batch):
            size = tf.minimum(self.count - step % self.steps * self.batch_size, self.batch_size)
            parts_of_batch = tf.data.Dataset.from_tensor_slices(parts)
            return parts_of_batch.map(
                lambda part: (
                    step,
                    part * size // self.parts,
                    (part + 1) * size // self.parts,
                    batch,
                )
            )

        def epoch_parts(epoch):
            skipped = tf.where(epoch == first_epoch, tf.constant(first_step, tf.int64), 0)
            batches = epoch_batches(epoch, skipped).take(self.steps - skipped)
            return batches.enumerate(tf.cast(epoch, tf.int64) * self.steps + skipped)

        epochs = tf.data.Dataset.range(first_epoch, self.epochs, output_type=tf.int32)
        return epochs.flat_map(epoch_parts).flat_map(own)
