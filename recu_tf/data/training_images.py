"""Training images of any data set, as batches that a training can begin anywhere."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from recu_tf.data.sampling import Order, steps_of_epoch

__all__ = ["TrainingSet"]


@dataclass(frozen=True)
class TrainingSet:
    """The training images of a data set.

    Attributes:
        count: images of an epoch.
        num_classes: how many classes they have.
        class_names: in the order of the labels; None where they have no names.
        batches_in: from an order to a data set of (float32 images, int64 labels).
    """

    count: int
    num_classes: int
    class_names: tuple[str, ...] | None
    batches_in: Callable[[Order], tf.data.Dataset]

    def steps(self, batch_size: int, parts: int = 1) -> int:
        """How many steps an epoch has; see `recu_tf.data.sampling.steps_of_epoch`."""
        return steps_of_epoch(self.count, batch_size, parts)

    def batches(
        self,
        batch_size: int,
        epochs: int,
        seed: int,
        first_step: int = 0,
        parts: int = 1,
        own_parts: tuple[int, ...] = (0,),
    ) -> tf.data.Dataset:
        """Shuffled, augmented, normalised batches of all epochs, one behind the other.

        A training that begins at a later step sees bit for bit what it would have seen there, and
        the parts of a batch are together the whole one.

        Args:
            batch_size: images of a step, all parts together; the last of an epoch may be smaller.
            epochs: of the whole training.
            seed: of the whole training, from 0 to 2^31 - 1.
            first_step: where to begin, counted from 0 over all epochs.
            parts: how many parts, of nearly the same size, each batch is cut into. A last batch
                with fewer images than these is left out.
            own_parts: which of these to give, in ascending order; the others are not decoded.

        Returns:
            A data set of (float32 images, int64 labels), for each step an element per own part.

        Raises:
            ValueError: parts that do not exist, or more of them than images.
        """
        order = Order(self.count, batch_size, epochs, seed, first_step, parts, own_parts)
        return self.batches_in(order)
