r"""Metrics of a binary kernel: dead weights, flipped signs, quantisation error, sign entropy.

Each sees a kernel as `recu` does: with every output filter centred, and standardised where that
matters. The functions that take a standardised kernel, or its signs, are for callers that need
several metrics of the same kernel.

References:
    Xu et al., "ReCU: Reviving the Dead Weights in Binary Neural Networks", ICCV 2021,
    https://arxiv.org/abs/2103.12369 (dead weights, quantisation error).
    Rastegari et al., "XNOR-Net", ECCV 2016, https://arxiv.org/abs/1603.05279 (the best scale).
    Helwegen et al., "Latent Weights Do Not Exist", NeurIPS 2019,
    https://arxiv.org/abs/1906.02107 (flips).
    Qin et al., "IR-Net", CVPR 2020, https://arxiv.org/abs/1909.10788 (entropy of the signs).
"""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf.quantizers import standardize_kernel, threshold
from recu_tf.quantizers.standardization import check_tau, weight_axes

__all__ = [
    "METRICS",
    "dead_weights",
    "entropy_of_signs",
    "error_of_standardized",
    "flipped_signs",
    "quantization_error",
    "share_beyond_threshold",
    "sign_entropy",
]

# The names of the metrics in logs and files, in the order of tables.
METRICS = ("dead_weights", "flipped_signs", "quantization_error", "sign_entropy")


def _share(condition: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, dtype))


def share_beyond_threshold(standardized: tf.Tensor, tau: float | tf.Tensor) -> tf.Tensor:
    """`dead_weights` of a kernel from `standardize_kernel`."""
    limit = threshold(standardized, tau)
    return _share(tf.abs(standardized) > limit, standardized.dtype)


def error_of_standardized(standardized: tf.Tensor, axis: int | Sequence[int]) -> tf.Tensor:
    """`quantization_error` of a kernel from `standardize_kernel`."""
    axes = weight_axes(standardized.shape, axis)
    scale = tf.reduce_mean(tf.abs(standardized), axes, keepdims=True)
    lost = tf.square(tf.abs(standardized) - scale)  # scale * sign(y) has the sign of y
    return tf.math.divide_no_nan(tf.reduce_sum(lost), tf.reduce_sum(tf.square(standardized)))


def entropy_of_signs(positive: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """`sign_entropy` of a kernel given which of its signs are positive (bool, any shape)."""
    share = _share(positive, dtype)
    shares = tf.stack([share, 1 - share])
    return -tf.reduce_sum(tf.math.xlogy(shares, shares)) / tf.math.log(tf.constant(2, dtype))


def dead_weights(
    kernel: tf.Tensor, tau: float | tf.Tensor | tf.Variable, axis: int | Sequence[int] = -1
) -> tf.Tensor:
    r"""The share of weights that the rectified clamp unit clamps and that get no gradient.

    \[ \overline{[\,|y| > Q\,]} \]

    with \(y\) from `standardize_kernel` and \(Q\) from `threshold`: the "dead weights" in the
    tails of the distribution (ReCU, section 4.1). For weights with a Laplace distribution the
    share is \(2 - 2\tau\).

    Args:
        kernel: latent weights, rank 2 or more, floating.
        tau: temperature in (0.5, 1], a number or a scalar tensor.
        axis: the axis or axes that index output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, float32 otherwise.

    Raises:
        ValueError: see `recu`.
    """
    check_tau(tau)
    return share_beyond_threshold(standardize_kernel(kernel, axis), tau)


def flipped_signs(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """The share of a binarised kernel's signs that changed between two moments.

    Flips are what binary optimizers decide on (Helwegen et al., https://arxiv.org/abs/1906.02107).

    Args:
        before: a binarised kernel: -1 and +1, or booleans; any shape.
        after: the same kernel later, of the same shape and dtype.

    Returns:
        A float32 scalar from 0 to 1.

    Raises:
        ValueError: the two differ in shape or dtype.
    """
    before, after = tf.convert_to_tensor(before), tf.convert_to_tensor(after)
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        raise ValueError(
            f"`after` must have the shape and dtype of `before`, {before.shape} and "
            f"{before.dtype.name}, got {after.shape} and {after.dtype.name}."
        )
    return _share(before != after, tf.float32)


def quantization_error(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""The share of a kernel's energy that is lost when its filters become scaled signs.

    \[ \frac{\sum_f \lVert y_f - \alpha_f\,\mathrm{sign}(y_f) \rVert^2}{\sum_f \lVert y_f \rVert^2},
       \qquad \alpha_f = \overline{|y_f|} \]

    with \(y\) from `standardize_kernel` and \(f\) over the output filters. The numerator is the
    error that ReCU, section 3, and others reduce, at the scale that makes it smallest (XNOR-Net);
    the denominator makes kernels of any size comparable. Normally distributed weights give
    \(1 - 2/\pi = 0.363\), weights with a Laplace distribution 0.5, two values \(\pm a\) give 0.
    The clamp is not applied: the error is that of the latent weights, at any temperature.

    Args:
        kernel: latent weights, rank 2 or more, floating.
        axis: the axis or axes that index output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, float32 otherwise.

    Raises:
        ValueError: see `standardize_kernel`.
    """
    return error_of_standardized(standardize_kernel(kernel, axis), axis)


def sign_entropy(kernel: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    r"""The information entropy of a layer's binary weights, in bits per weight.

    \[ -p \log_2 p - (1 - p) \log_2 (1 - p) \]

    with \(p\) the share of +1 among all signs of the binarised kernel (Libra-PB of IR-Net,
    https://arxiv.org/abs/1909.10788, there in nats): 1 where +1 and -1 are equally frequent, 0
    where all signs are equal. (ReCU's section 4.3 is about a different entropy, that of the
    distribution of the latent weights.)

    Args:
        kernel: latent weights, rank 2 or more, floating.
        axis: the axis or axes that index output filters, see `recu`.

    Returns:
        A scalar from 0 to 1, float64 for a float64 kernel, float32 otherwise.

    Raises:
        ValueError: see `standardize_kernel`.
    """
    standardized = standardize_kernel(kernel, axis)
    return entropy_of_signs(standardized >= 0, standardized.dtype)
