"""Exchanges max-pools with the batch norms behind them, so that the converter can fold these.

A max-pool between a binary convolution and its batch norm leaves three operators in float32:
MAX_POOL_2D, MUL and ADD. A batch norm whose factors are positive may as well come first; it is then
folded into the convolution, and if a sign follows, the engine pools bits. A negative factor turns
the largest value into the smallest. But if only signs of binary convolutions read the batch norm's
output, the channel can be negated together with the weights of these convolutions:
sign(-x) w = sign(x) (-w).
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.keras_graph.batch_norms import is_on_channels, read_batch_norm
from export.keras_graph.graph import Graph, Step

__all__ = ["normalise_before_pools"]


def _can_be_negated(graph: Graph, step: Step | None) -> bool:
    """Whether a step is a frozen convolution of signs in which input channels can be negated.

    A padding with ones would have to be negated too; zeros or no padding stay the same.
    """
    return (
        step is not None
        and isinstance(step.layer, lq.layers.QuantConv2D)
        and isinstance(step.layer.kernel_quantizer, lq.quantizers.NoOp | None)
        and step.layer.groups == 1
        and graph.is_called_once(step)
        and (step.layer.padding == "valid" or step.layer.pad_values == 0)
        and reads_sign_only(step.layer)
    )


def _apply_signs(norm: Step, signs: np.ndarray) -> list[np.ndarray]:
    """Computes the weights of a batch norm whose outputs are multiplied by a sign per channel."""
    count = norm.layer.scale + norm.layer.center  # gamma and beta, which come first
    return [*(weight * signs for weight in norm.weights[:count]), *norm.weights[count:]]


def normalise_before_pools(graph: Graph) -> list[str]:
    """Exchanges each max-pool with the batch norm behind it, where that changes no value.

    Returns:
        The names of the layers that were exchanged or whose weights were negated.
    """
    found = []
    pools = [step for step in graph.steps if isinstance(step.layer, tf.keras.layers.MaxPooling2D)]
    for pool in pools:
        readers = graph.find_readers(pool.output)
        if len(readers) != 1 or readers[0] is None or not graph.is_called_once(pool):
            continue
        (norm,) = readers
        if not is_on_channels(norm) or not graph.is_called_once(norm):
            continue
        signs = np.where(read_batch_norm(norm).gamma < 0, -1, 1).astype(np.float32)
        negated = []
        if (signs < 0).any():
            # Layers that pass on their input unchanged are looked through.
            negated = _find_readers(graph, norm)
            if not norm.layer.center or not all(_can_be_negated(graph, step) for step in negated):
                continue
        norm.set_weights(_apply_signs(norm, signs))
        graph.exchange(pool, norm)
        for step in negated:
            kernel, *others = step.weights
            step.set_weights([kernel * signs[:, None], *others])
        found += [step.name for step in (pool, norm, *negated)]
    return list(dict.fromkeys(found))


def _find_readers(graph: Graph, step: Step) -> list[Step | None]:
    found = []
    for reader in graph.find_readers(step.output):
        passes_on = (
            reader is not None
            and isinstance(reader.layer, tf.keras.layers.Activation)
            and reader.layer.activation is tf.keras.activations.linear
            and graph.is_called_once(reader)
        )
        found += _find_readers(graph, reader) if passes_on else [reader]
    return found
