"""Training images of any data set, as batches from any step of a training on."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from recu_tf.data.sampling import Sampler, count_steps

__all__ = ["TrainingSet"]


@dataclass(frozen=True)
class TrainingSet:
    """The training images of a data set.

    Attributes:
        count: images of an epoch.
        num_classes: number of their classes.
        class_names: in the order of the labels; None where the classes have no names.
        make_batches: from a sampler to a data set of float32 images (batch, height, width,
            channels) and int64 labels (batch,).
    """

    count: int
    num_classes: int
    class_names: tuple[str, ...] | None
    make_batches: Callable[[Sampler], tf.data.Dataset]

    def steps(self, batch_size: int, shards: int = 1) -> int:
        """The number of steps of an epoch.

        Args:
            batch_size: images per step, at most all; the last batch may be smaller.
            shards: into how many shards each batch is cut; a last batch with fewer images than
                shards is left out.

        Raises:
            ValueError: `batch_size` or `shards` is below 1, or there are more shards than images.
        """
        return count_steps(self.count, batch_size, shards)

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
        """Shuffled, augmented, normalised batches of all epochs, without a gap between epochs.

        A training resumed at a later step sees bit for bit what it would have seen there, and the
        shards of a batch make up the whole batch.

        Args:
            batch_size: images per step, of all shards together; the last batch of an epoch may be
                smaller.
            epochs: of the whole training.
            seed: of the whole training, from 0 to 2^31 - 1.
            first_step: the step to begin at, counted from 0 over all epochs.
            shards: into how many shards, of nearly equal size, each batch is cut. A last batch
                with fewer images than shards is left out.
            own_shards: the shards to return, in ascending order; the others are not decoded.

        Returns:
            A data set of float32 images (batch, height, width, channels) and int64 labels (batch,),
            for each step an element per own shard.

        Raises:
            ValueError: shards that do not exist, or more shards than images.
        """
        sampler = Sampler(
            self.count,
            batch_size,
            epochs,
            seed,
            first_step=first_step,
            shards=shards,
            own_shards=own_shards,
        )
        return self.make_batches(sampler)
