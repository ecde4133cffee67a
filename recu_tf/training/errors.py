"""What ends a training early: its exceptions, and TensorFlow's errors translated for users."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from recu_tf import data
from recu_tf.training.strategies import has_several_processes

__all__ = ["LossNotFinite", "TrainingInterrupted", "WorkerLost", "explain_errors"]

# What TensorFlow raises, depending on the moment, when another process of the training is gone.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


class LossNotFinite(Exception):
    """The loss became infinite or not a number, and the weights with it."""

    exit_code = 3


class WorkerLost(Exception):
    """Another process of the training is gone, so gradients can no longer be summed over all."""

    exit_code = 4


class TrainingInterrupted(Exception):
    """A signal ended the training; `exit_code` is 128 plus the signal's number, as in shells."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def explain_errors(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Replaces errors of TensorFlow's runtime by one-line explanations where the cause is known.

    Args:
        strategy: on which the code inside the context runs.

    Raises:
        ValueError: an image cannot be read, or a batch of the caller's own images is wrong.
        OSError: the disk is full.
        WorkerLost: another process of the training is gone.
    """
    try:
        yield
    except tf.errors.OpError as error:
        broken = data.describe_broken_image(error) or data.describe_wrong_batch(error)
        if broken is not None:
            raise ValueError(broken) from error
        if isinstance(error, tf.errors.ResourceExhaustedError) and "No space" in error.message:
            raise OSError(f"TensorBoard's logs could not be written: {error.message}") from error
        if has_several_processes(strategy) and isinstance(error, LOST):
            raise WorkerLost(
                "Another worker is gone, so the training cannot continue. Start all workers again "
                "with --resume to continue from the last checkpoint."
            ) from error
        raise
