"""What the quantizers share: how they compute statistics, and when their gradients run."""

from collections.abc import Callable

import tensorflow as tf

__all__ = ["EPSILON", "check_floating", "statistics_dtype", "wait_for_upstream"]

EPSILON = 1e-5  # added to every variance


def statistics_dtype(dtype: tf.DType) -> tf.DType:
    """The dtype in which to compute the statistics of inputs of a dtype: float64 or float32."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def check_floating(name: str, tensor: tf.Tensor) -> None:
    """Raises a ValueError unless a tensor, the argument `name`, has a floating dtype."""
    if not tensor.dtype.is_floating:
        raise ValueError(f"`{name}` must have a floating dtype, got {tensor.dtype.name}.")


def wait_for_upstream(gradient: Callable) -> Callable:
    """Makes a gradient function wait for the gradient from upstream before it computes anything.

    Most of a gradient here depends on the inputs alone. The executor would compute that much as
    soon as the inputs exist, in the forward pass, and keep the results of every layer until the
    backward pass: a third more memory for the step.
    """

    def ordered_gradient(upstream):
        with tf.control_dependencies([upstream]):
            return gradient(upstream)

    return ordered_gradient
