r"""Kernels standardised per output filter, and the threshold at which ReCU clamps them."""

import math
from collections.abc import Sequence

import tensorflow as tf

from recu_tf.quantizers.statistics import EPSILON, check_floating, statistics_dtype

__all__ = [
    "KERNEL_DEVIATION",
    "as_scalar",
    "check_tau",
    "inverse_deviation",
    "standardize_kernel",
    "threshold",
    "weight_axes",
]

KERNEL_DEVIATION = 2 * math.sqrt(2)  # of a standardised kernel


def check_tau(tau: float | tf.Tensor | tf.Variable) -> None:
    """Raises a ValueError for a tau outside (0.5, 1]; a symbolic tensor cannot be checked."""
    if isinstance(tau, tf.Tensor | tf.Variable):
        tau = tf.get_static_value(tf.convert_to_tensor(tau))
        if tau is None:
            return
    try:
        number = math.nan if isinstance(tau, bool) else float(tau)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.5 < number <= 1:
        raise ValueError(f"`tau` must be a number in (0.5, 1], got {tau!r}.")


def as_scalar(tau: float | tf.Tensor | tf.Variable, dtype: tf.DType) -> tf.Tensor:
    """A temperature as a scalar tensor of a dtype."""
    # tf.cast would first round a Python number to float32.
    return tf.constant(tau, dtype) if isinstance(tau, float) else tf.cast(tau, dtype)


def weight_axes(shape: tf.TensorShape, axis: int | Sequence[int]) -> list[int]:
    """The axes of a kernel along which the weights of one output filter lie.

    Args:
        shape: of the kernel.
        axis: the axis or axes that index output filters.

    Raises:
        ValueError: the shape is not fully known, `axis` is not an axis of it, or a filter has
            fewer than two weights.
    """
    axes = [axis] if isinstance(axis, int) else list(axis)
    if shape.rank is None or shape.rank < 2 or not shape.is_fully_defined():
        raise ValueError(f"`kernel` must have a fixed shape of rank 2 or more, got shape {shape}.")
    if not axes or any(not -shape.rank <= number < shape.rank for number in axes):
        raise ValueError(
            f"`axis` must name axes of the kernel, which has shape {shape}, got {axis}."
        )
    filter_axes = {number % shape.rank for number in axes}
    rest = [number for number in range(shape.rank) if number not in filter_axes]
    if math.prod(shape[number] for number in rest) < 2:
        raise ValueError(
            "`kernel` must have at least 2 weights per output filter (a single weight has no "
            f"variance), got shape {shape} with the filters on axis {axis}."
        )
    return rest


def inverse_deviation(centred: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, int]:
    """The inverse standard deviation of each filter, and the degrees of freedom.

    Args:
        centred: weights of mean 0 per filter.
        axes: from `weight_axes`.

    Returns:
        1 / sqrt(unbiased variance + epsilon), with `axes` kept as axes of size 1; the number of
        weights per filter minus 1.
    """
    freedom = math.prod(centred.shape[axis] for axis in axes) - 1
    variance = tf.reduce_sum(tf.square(centred), axes, keepdims=True) / freedom
    return 1 / tf.sqrt(variance + EPSILON), freedom


def standardize_kernel(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""Brings each output filter to mean 0 and standard deviation \(2\sqrt{2}\), as published.

    \[ y = 2\sqrt{2}\,\frac{w - \bar w}{\sqrt{\mathrm{var}(w) + 10^{-5}}} \]

    with the unbiased variance.

    Args:
        kernel: latent weights, rank 2 or more, floating.
        axis: the axis or axes that index output filters.

    Returns:
        A tensor of the kernel's shape, float64 for a float64 kernel, float32 otherwise.

    Raises:
        ValueError: the kernel is not floating or has a single weight per filter, or `axis` is not
            an axis of it.
    """
    kernel = tf.convert_to_tensor(kernel)
    check_floating("kernel", kernel)
    axes = weight_axes(kernel.shape, axis)
    weights = tf.cast(kernel, statistics_dtype(kernel.dtype))
    centred = weights - tf.reduce_mean(weights, axes, keepdims=True)
    return centred * (KERNEL_DEVIATION * inverse_deviation(centred, axes)[0])


def threshold(standardized: tf.Tensor, tau: float | tf.Tensor) -> tf.Tensor:
    r"""The clamp's threshold: \(Q = -\overline{|y|}\,\ln(2 - 2\tau)\), the same for a whole layer.

    As published, it is the quantile `tau` of a Laplace distribution with the layer's mean
    magnitude. Weights beyond it are the "dead" weights. `tau = 1` gives infinity: no weight is
    dead.

    Args:
        standardized: a kernel from `standardize_kernel`, any shape.
        tau: temperature in (0.5, 1], a number or a scalar tensor.

    Returns:
        A scalar of the dtype of `standardized`.
    """
    tau = as_scalar(tau, standardized.dtype)
    return -tf.reduce_mean(tf.abs(standardized)) * tf.math.log(2 - 2 * tau)
