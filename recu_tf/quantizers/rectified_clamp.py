"""The rectified clamp unit: the sign of a kernel, and its gradient, as a function."""

from collections.abc import Sequence

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.standardization import (
    KERNEL_DEVIATION,
    as_scalar,
    check_tau,
    inverse_deviation,
    threshold,
    weight_axes,
)
from recu_tf.quantizers.statistics import check_floating, statistics_dtype, wait_for_upstream

__all__ = ["recu"]


def recu(
    kernel: tf.Tensor, tau: float | tf.Tensor | tf.Variable, axis: int | Sequence[int] = -1
) -> tf.Tensor:
    r"""Binarises a kernel with the published rectified clamp unit.

    Forward, with \(c = w - \bar w\) for each output filter:
    \[ q(w) = \mathrm{sign}(c) \]

    Backward, with \(y\) from `standardize_kernel`, \(Q\) from `threshold` (held constant),
    \(v\) the filter's variance plus epsilon, \(N\) its number of weights and
    \(g' = g \cdot [\,|y| \le Q\,]\) the gradient that passes the clamp:
    \[ \frac{\partial L}{\partial w} = \frac{2\sqrt{2}}{\sqrt{v}}
       \left( g' - \overline{g'} - c\,\frac{\sum g' c}{(N-1)\,v} \right) \]

    which is the derivative of the standardisation, through its mean and its variance. `tau` gets
    no gradient.

    Args:
        kernel: latent weights, rank 2 or more, float16, bfloat16, float32 or float64.
        tau: temperature in (0.5, 1], a number or a scalar tensor.
        axis: the axis or axes that index output filters: -1 for dense and ordinary convolution
            kernels, -2 for transposed convolutions, (-2, -1) for depthwise convolutions.

    Returns:
        A tensor of -1 and +1 with the kernel's shape and dtype.

    Raises:
        ValueError: `tau` lies outside (0.5, 1], the kernel is not floating or has a single weight
            per filter, or `axis` is not an axis of it.
    """
    check_tau(tau)
    kernel = tf.convert_to_tensor(kernel)
    check_floating("kernel", kernel)
    axes = weight_axes(kernel.shape, axis)
    dtype = statistics_dtype(kernel.dtype)

    @tf.custom_gradient
    def binarize(kernel, tau):
        weights = tf.cast(kernel, dtype)
        centred = weights - tf.reduce_mean(weights, axes, keepdims=True)

        @wait_for_upstream
        def gradient(upstream):
            scale, freedom = inverse_deviation(centred, axes)
            standardized = centred * (KERNEL_DEVIATION * scale)
            dead = tf.abs(standardized) > threshold(standardized, tau)
            upstream = tf.where(dead, tf.zeros([], dtype), tf.cast(upstream, dtype))
            through_mean = tf.reduce_mean(upstream, axes, keepdims=True)
            through_variance = tf.square(scale) * (
                tf.reduce_sum(upstream * centred, axes, keepdims=True) / freedom
            )
            gradient = upstream - through_mean - centred * through_variance
            return tf.cast(KERNEL_DEVIATION * scale * gradient, kernel.dtype), None

        return tf.cast(lq.math.sign(centred), kernel.dtype), gradient

    return binarize(kernel, as_scalar(tau, dtype))
