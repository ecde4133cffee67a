"""What errors of TensorFlow's runtime mean in a training, in one line where that is known."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from recu_tf import data
from recu_tf.training.strategies import WorkerLost, several_processes

__all__ = ["explained"]

# What TensorFlow raises, at one time or another, when a process it adds up with is gone.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


@contextmanager
def explained(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Makes errors of what runs inside readable.

    Args:
        strategy: that it runs on.

    Raises:
        ValueError: an image cannot be read.
        OSError: the disk is full.
        WorkerLost: another process of the training is gone.
    """
    try:
        yield
    except tf.errors.OpError as error:
        broken = data.broken_image(error)
        if broken is not None:
            raise ValueError(broken) from error
        if isinstance(error, tf.errors.ResourceExhaustedError) and "No space" in error.message:
            raise OSError(f"TensorBoard's logs could not be written: {error.message}") from error
        if several_processes(strategy) and isinstance(error, LOST):
            raise WorkerLost(
                "Another worker is gone, so the training cannot go on. Starting all of them with "
                "--resume goes on from the last checkpoint."
            ) from error
        raise
