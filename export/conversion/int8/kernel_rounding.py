"""Rounds float kernels to the 255 levels that the converter gives them in an int8 file.

What the converter rounds is the kernel with the factors of the batch norms and scales behind it
folded in, symmetrically, the largest to 127: for each output channel of a convolution, and so the
factors do not matter; for the whole kernel of a dense layer, and there they do. A kernel that is
rounded already it leaves as it is. Then a model in Keras has the kernels of its file, and the two
can be compared to the rounding of the activations.
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.int8.placement import is_linear
from export.keras_graph.graph import Graph, Step
from recu_tf.layers import ChannelScale, LearnableBias

__all__ = ["round_kernels", "round_to_levels"]

LEVELS = 127


def round_to_levels(kernel: np.ndarray, axes: tuple[int, ...] | None) -> np.ndarray:
    """A kernel rounded to multiples of the 127th part of its largest number.

    Args:
        kernel: float32.
        axes: over which the largest is looked for; None means all.

    Returns:
        float32 of the same shape. Zeros stay zeros.
    """
    level = np.abs(kernel).max(axis=axes, keepdims=True) / LEVELS
    level = np.where(level > 0, level, 1).astype(kernel.dtype)
    return np.rint(kernel / level) * level


def round_kernels(graph: Graph) -> None:
    """Rounds the kernels of a graph's layers that the converter makes int8, in its steps.

    Kernels of a quantizer of their own stay: theirs is another rounding.
    """
    for step in graph.steps:
        quantizer = getattr(step.layer, "kernel_quantizer", None)
        if is_linear(step.layer) and isinstance(quantizer, lq.quantizers.NoOp | None):
            kernel, *others = step.weights
            step.set_weights([_round_kernel(step, kernel, graph), *others])


def _round_kernel(step: Step, kernel: np.ndarray, graph: Graph) -> np.ndarray:
    layer = step.layer
    if isinstance(layer, tf.keras.layers.Dense):
        factors = _collect_factors(step, graph)
        # What is multiplied with 0 may be anything.
        factors = np.where(factors == 0, 1, factors).astype(kernel.dtype)
        return round_to_levels(kernel * factors, None) / factors
    if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
        return round_to_levels(kernel, (0, 1))
    if isinstance(layer, tf.keras.layers.Conv2DTranspose):
        return round_to_levels(kernel, (0, 1, 3))
    return round_to_levels(kernel, (0, 1, 2))


def _collect_factors(step: Step, graph: Graph) -> np.ndarray:
    """What the layers behind a dense layer, which the converter folds into it, multiply with."""
    factors = np.ones(step.output.shape[-1], np.float32)
    while True:
        readers = graph.find_readers(step.output)
        activation = getattr(getattr(step.layer, "activation", None), "__name__", "linear")
        if len(readers) != 1 or readers[0] is None or activation != "linear":
            return factors
        (step,) = readers
        layer = step.layer
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            variance = step.weights[-1]
            gamma = step.weights[0] if layer.scale else 1
            factors = factors * gamma / np.sqrt(variance + layer.epsilon)
        elif isinstance(layer, ChannelScale):
            factors = factors * step.weights[0]
        elif not isinstance(layer, LearnableBias):
            return factors
