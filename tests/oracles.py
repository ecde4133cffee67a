"""ReCU in NumPy float64, one published step after the other.

Nothing here is in closed form: the gradients walk backwards through the steps, and so check the
closed forms of `recu_tf.quantizers`.
"""

import numpy as np


def recu(kernel, tau, upstream):
    """Sign and gradient of a kernel (..., filters), for the gradient `upstream` of the sign."""
    weights = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    g = upstream.reshape(weights.shape).astype(np.float64)
    n = len(weights)
    centred = weights - weights.mean(0)
    deviation = np.sqrt(centred.var(0, ddof=1) + 1e-5)
    y = centred * 2 * np.sqrt(2) / deviation
    with np.errstate(divide="ignore"):
        q = -np.abs(y).mean() * np.log(2 - 2 * np.float64(tau))
    g_y = np.where(np.abs(y) > q, 0, g)
    g_centred = g_y * 2 * np.sqrt(2) / deviation
    g_deviation = (-g_y * y / deviation).sum(0)
    g_variance = g_deviation / (2 * deviation)
    g_centred += g_variance * 2 * (centred - centred.mean(0)) / (n - 1)
    g_weights = g_centred - g_centred.mean(0)
    return np.where(centred >= 0, 1, -1).reshape(kernel.shape), g_weights.reshape(kernel.shape)


def standardized_approx_sign(activations, upstream):
    """Sign and gradient of activations (batch, ...)."""
    return standardized_sign(activations, upstream, lambda u: np.maximum(0, 2 - 2 * np.abs(u)))


def standardized_ste_sign(activations, upstream, clip_value):
    """Sign and gradient of activations (batch, ...)."""
    return standardized_sign(activations, upstream, lambda u: np.abs(u) <= clip_value)


def standardized_sign(activations, upstream, slope):
    """Sign and gradient of activations (batch, ...), for the slope of the sign."""
    a = activations.reshape(len(activations), -1).astype(np.float64)
    g = upstream.reshape(a.shape).astype(np.float64)
    deviation = np.sqrt(a.var(1, ddof=1, keepdims=True) + 1e-5)
    u = a / deviation
    g_u = g * slope(u)
    g_deviation = (-g_u * u / deviation).sum(1, keepdims=True)
    g_variance = g_deviation / (2 * deviation)
    g_a = g_u / deviation + g_variance * 2 * (a - a.mean(1, keepdims=True)) / (a.shape[1] - 1)
    return np.where(a >= 0, 1, -1).reshape(activations.shape), g_a.reshape(activations.shape)


def filter_rows(kernel, axis):
    """A kernel as rows, one for each output filter."""
    axes = sorted(number % kernel.ndim for number in np.atleast_1d(axis))
    filters = np.moveaxis(kernel, axes, range(len(axes)))
    return filters.reshape(int(np.prod(filters.shape[: len(axes)])), -1)


def standardize(kernel, axis):
    """The rows of a kernel, each with mean 0 and the standard deviation of ReCU."""
    rows = filter_rows(kernel, axis)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows * np.sqrt(8 / (rows.var(axis=1, ddof=1, keepdims=True) + 1e-5))
