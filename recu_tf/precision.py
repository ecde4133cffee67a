"""Building layers in a given precision, whatever policy is set globally."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

__all__ = ["use_precision"]


@contextmanager
def use_precision(policy: str) -> Iterator[None]:
    """Sets Keras' global policy for the layers that are built inside the context.

    Args:
        policy: the name of a Keras policy, such as float32 or mixed_float16.
    """
    previous = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(previous)
