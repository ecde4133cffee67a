"""The gradient of a quantizer, value by value, as training computes it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

__all__ = ["find_own_gradient"]


def find_own_gradient(
    quantize: Callable[[tf.Tensor], tf.Tensor], values: np.ndarray, *, axis: int
) -> np.ndarray:
    """How each output changes with its own input, by the gradient that training uses.

    Args:
        quantize: from a tensor to its signs.
        values: (count,).
        axis: along which the values lie: 0 for a kernel (count, 1), 1 for activations (1, count).

    Returns:
        The diagonal of the Jacobian, (count,).
    """
    given = tf.constant(np.expand_dims(values, 1 - axis))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(given)
        signs = quantize(given)
    jacobian = tape.jacobian(signs, given, experimental_use_pfor=False)
    return np.diag(np.reshape(jacobian, (len(values), len(values))))
