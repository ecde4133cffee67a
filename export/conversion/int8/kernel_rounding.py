"""Rounds float kernels to the 255 levels that the converter gives them in an int8 file.

The converter first folds the factors of the batch norms and scales behind a kernel into it. Then it
rounds symmetrically, the largest number to 127: a convolution for each output channel, so that the
factors do not matter, but a dense layer's kernel as a whole, where they do. A kernel that is
already rounded stays as it is. So a model whose kernels are rounded beforehand has the kernels of
its file, and the outputs of the two differ only by the rounding of activations.
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.int8.placement import is_linear
from export.keras_graph.batch_norms import is_on_channels, read_batch_norm
from export.keras_graph.fused_activations import name_activation
from export.keras_graph.graph import Graph, Step
from recu_tf.layers import ChannelScale, LearnableBias

__all__ = ["round_kernels"]

LEVELS = 127


def round_to_levels(kernel: np.ndarray, axes: tuple[int, ...] | None) -> np.ndarray:
    """Rounds a kernel to multiples of a 127th of its largest number.

    Args:
        kernel: float32.
        axes: the axes over which the largest number is taken; None means all.

    Returns:
        float32 of the same shape. Zeros stay zeros.
    """
    level = np.abs(kernel).max(axis=axes, keepdims=True) / LEVELS
    level = np.where(level > 0, level, 1).astype(kernel.dtype)
    return np.rint(kernel / level) * level


def round_kernels(graph: Graph) -> None:
    """Rounds the kernels that the converter makes int8, in the steps of a graph.

    A kernel that has a quantizer keeps that quantizer's rounding.
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
        # A weight that is multiplied by 0 may be anything.
        factors = np.where(factors == 0, 1, factors).astype(kernel.dtype)
        return round_to_levels(kernel * factors, None) / factors
    if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
        return round_to_levels(kernel, (0, 1))
    if isinstance(layer, tf.keras.layers.Conv2DTranspose):
        return round_to_levels(kernel, (0, 1, 3))
    return round_to_levels(kernel, (0, 1, 2))


def _collect_factors(step: Step, graph: Graph) -> np.ndarray:
    """Multiplies the factors of layers behind a dense layer that the converter folds into it."""
    factors = np.ones(step.output.shape[-1], np.float32)
    while True:
        readers = graph.find_readers(step.output)
        activation = name_activation(step.layer) or "linear"
        if len(readers) != 1 or readers[0] is None or activation != "linear":
            return factors
        (step,) = readers
        layer = step.layer
        if is_on_channels(step):
            factors = factors * read_batch_norm(step).factor
        elif isinstance(layer, ChannelScale):
            factors = factors * step.weights[0]
        elif not isinstance(layer, LearnableBias):
            return factors
