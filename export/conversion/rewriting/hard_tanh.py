"""Drops a hard tanh that only signs read: sign(hard_tanh(x)) = sign(x)."""

import numpy as np
import tensorflow as tf

from export.keras_graph.graph import Graph, Layer, Step

__all__ = ["drop_hard_tanh", "reads_sign_only"]

_random = np.random.default_rng(0).normal(scale=2, size=(1, 8, 8, 16)).astype(np.float32)
_random[0, 0, 0] = np.repeat([0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 1e30, -1e30], 2)
PROBE = tf.constant(_random)
CLIPPED = tf.clip_by_value(PROBE, -1, 1)


def _are_equal(tensor: tf.Tensor, other: tf.Tensor) -> bool:
    return bool(tf.reduce_all(tensor == tf.cast(other, tensor.dtype)))


def reads_sign_only(layer: Layer | None) -> bool:
    """Whether a layer uses only the sign of each number of its input.

    The layer's own quantizer is tried: it must return -1 and 1, and the same for x, for
    hard_tanh(x) and for 2 x.

    Args:
        layer: a layer with an `input_quantizer`, or a quantizer itself; None is no layer.
    """
    quantizer = getattr(layer, "input_quantizer", None)
    if quantizer is None and getattr(layer, "precision", None) == 1:
        quantizer = layer
    if quantizer is None:
        return False
    try:
        signs = quantizer(PROBE)
        return (
            _are_equal(tf.abs(signs), tf.ones_like(signs))
            and _are_equal(signs, quantizer(CLIPPED))
            and _are_equal(signs, quantizer(2 * PROBE))
        )
    except (TypeError, ValueError, tf.errors.OpError):
        # A quantizer that does not take images cannot be tried on them.
        return False


def _is_hard_tanh(layer: Layer) -> bool:
    if layer.weights or isinstance(layer, tf.keras.Model):
        return False
    if not (
        isinstance(layer, tf.keras.layers.Activation) or type(layer).__name__.endswith("HardTanh")
    ):
        return False
    return _are_equal(layer(PROBE), CLIPPED)


def drop_hard_tanh(graph: Graph) -> list[str]:
    """Drops each hard tanh that only signs read.

    It changes no sign, costs an operator and keeps Larq Compute Engine from packing bits.

    Returns:
        The names of the layers that were dropped.
    """
    found = [
        step
        for step in graph.steps
        if graph.is_called_once(step)
        and all(reads_sign_only(reader and reader.layer) for reader in _find_readers(graph, step))
        and _is_hard_tanh(step.layer)
    ]
    for step in found:
        graph.remove(step)
    return [step.name for step in found]


def _find_readers(graph: Graph, step: Step) -> list[Step | None]:
    return [reader for value in step.values for reader in graph.find_readers(value)]
