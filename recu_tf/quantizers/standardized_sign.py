"""The sign of activations, and the gradient that every shape of it shares."""

from collections.abc import Callable

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.statistics import (
    EPSILON,
    check_floating,
    statistics_dtype,
    wait_for_upstream,
)

__all__ = ["Slope", "standardized_sign"]

# From values (rows, n), their inverse deviations (rows, 1) and the squares of those to the slope
# of the gradient, already divided by the deviation.
Slope = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def _dot_rows(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The scalar product of each pair of rows, (rows, n) and (rows, n) to (rows, 1)."""
    return tf.reduce_sum(a * b, axis=1, keepdims=True)


def standardized_sign(activations: tf.Tensor, compute_slope: Slope) -> tf.Tensor:
    r"""Binarises activations; the gradient sees them scaled to unit variance per image.

    Forward:
    \[ q(a) = \mathrm{sign}(a) \]

    Backward, with \(v\) the unbiased variance of an image (over all axes but the first) plus
    epsilon, \(M\) its number of values, \(u = a / \sqrt{v}\), and \(g' = g \cdot s(u)\) for the
    slope \(s\):
    \[ \frac{\partial L}{\partial a} = \frac{1}{\sqrt{v}}
       \left( g' - (a - \bar a)\,\frac{\sum g' a}{(M-1)\,v} \right) \]

    Args:
        activations: (batch, ...), rank 2 or more, float16, bfloat16, float32 or float64.
        compute_slope: \(s(u) / \sqrt{v}\) of each value, see `Slope`.

    Returns:
        A tensor of -1 and +1 with the shape and dtype of the activations.

    Raises:
        ValueError: the dtype is not floating, an image has a single value, or the rank is below 2.
    """
    activations = tf.convert_to_tensor(activations)
    check_floating("activations", activations)
    shape = activations.shape
    if shape.rank is None or shape.rank < 2 or shape[1:].num_elements() == 1:
        raise ValueError(
            "`activations` must have shape (batch, ...) with at least 2 values per image (a single "
            f"value has no variance), got shape {shape}."
        )
    dtype = statistics_dtype(activations.dtype)

    @tf.custom_gradient
    def binarize(activations):
        @wait_for_upstream
        def gradient(upstream):
            # Written for few passes over memory; a row per image.
            values = tf.reshape(tf.cast(activations, dtype), [tf.shape(activations)[0], -1])
            upstream = tf.reshape(tf.cast(upstream, dtype), tf.shape(values))
            freedom = tf.cast(tf.shape(values)[1] - 1, dtype)
            centred = values - tf.reduce_mean(values, axis=1, keepdims=True)
            inverse_variance = 1 / (_dot_rows(centred, centred) / freedom + EPSILON)
            scale = tf.sqrt(inverse_variance)
            upstream = upstream * compute_slope(values, scale, inverse_variance)
            through_variance = inverse_variance * _dot_rows(upstream, values) / freedom
            result = upstream - centred * through_variance
            return tf.cast(tf.reshape(result, tf.shape(activations)), activations.dtype)

        return lq.math.sign(activations), gradient

    return binarize(activations)
