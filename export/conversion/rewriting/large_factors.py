"""Keeps large factors out of binary convolutions, where they would magnify a rounding error.

Larq Compute Engine fuses a batch norm into the binary convolution before it. It counts the bits
that differ, n of K, and computes -2 n f + (K f + b) in float32, with the factor f and the bias b.
Both terms may be as large as K f where the outputs are small, and K f is rounded to 24 bits: the
error is about K f 2^-24. A channel that hardly varies, such as one whose ReLU gives 0 for almost
all images, has a variance near 0 and so a factor of hundreds, and with K = 2304 an error of 0.03,
the same one for all images. Behind it the signs of all images may flip.

On its own, a batch norm multiplies the exact output of the convolution, and 0 f is 0. What keeps
it apart is a max-pool of 1 x 1 pixels, which changes nothing. The converter keeps that, and the
engine, XNNPACK and the delegate run it.
"""

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.keras_graph.batch_norms import is_on_channels, read_batch_norm
from export.keras_graph.binary_layers import has_frozen_bits
from export.keras_graph.fused_activations import is_fused
from export.keras_graph.graph import Graph, Step, Value
from recu_tf.layers import ChannelScale, LearnableBias

__all__ = ["keep_factors_apart"]

L = tf.keras.layers
# What the error of a channel may be, in parts of the root mean square of what its batch norm gives
# in training: as much as `export.verify` allows. Error and outputs have the factor gamma in common,
# so that the limit is one of the convolution's standard deviation: 0.14 with K = 2304, and 0.27
# with K = 4608, the widest of the published networks. Counts are whole numbers, and the deviation
# of a random one is sqrt(K), 48 or more. So only channels that are almost constant are beyond it,
# and no network is that has its first averages, of variance 1.
LIMIT = 1e-3
ROUNDING = 2.0**-24  # half a unit in the last place of a float32, relative to it


def keep_factors_apart(graph: Graph) -> list[str]:
    """Puts a max-pool of 1 x 1 between binary convolutions and batch norms with large factors.

    Returns:
        The names of the batch norms that are kept apart.
    """
    found = []
    for step in list(graph.steps):
        if not graph.is_called_once(step) or not _is_binary(graph, step):
            continue
        place, multipliers, norm = _find_fused(graph, step)
        if norm is not None and _compute_error(step, multipliers, norm) > LIMIT:
            _insert_pool(graph, place, f"{step.name}.apart")
            found.append(norm.name)
    return found


def _is_binary(graph: Graph, step: Step) -> bool:
    """Whether a step convolves signs with a frozen kernel of bits."""
    if not has_frozen_bits(step.layer) or not is_fused(step.layer):
        return False
    before = graph.find_producer(step.input)
    return reads_sign_only(step.layer) or (before is not None and reads_sign_only(before.layer))


def _find_fused(graph: Graph, step: Step) -> tuple[Step, list[np.ndarray], Step | None]:
    """Follows what the converter fuses into a convolution, to the first batch norm.

    Returns:
        The last step before any that multiplies or adds; the factors of the scales before the batch
        norm; and the batch norm, None where there is none.
    """
    place, multipliers, only_activations = step, [], True
    while True:
        readers = graph.find_readers(step.output)
        if len(readers) != 1 or readers[0] is None:
            return place, multipliers, None
        (step,) = readers
        layer = step.layer
        if isinstance(layer, L.BatchNormalization):
            return place, multipliers, step if is_on_channels(step) else None
        if isinstance(layer, L.Activation | L.ReLU) and is_fused(layer):
            place = step if only_activations else place
        elif isinstance(layer, ChannelScale | LearnableBias):
            only_activations = False
            multipliers += step.weights if isinstance(layer, ChannelScale) else []
        else:
            return place, multipliers, None


def _compute_error(step: Step, multipliers: list[np.ndarray], norm: Step) -> float:
    """The largest rounding error of a channel, in parts of what its batch norm gives."""
    weights = read_batch_norm(norm)
    # The largest count, where the kernel's numbers may be other than -1 and 1.
    largest = np.abs(step.weights[0]).sum(axis=(0, 1, 2), dtype=np.float64)
    factors = np.prod([weights.factor, *multipliers], axis=0, dtype=np.float64)
    errors = np.abs(factors) * largest * ROUNDING
    spread = np.hypot(weights.gamma, weights.beta)  # 0 only where the factor is 0 too
    return float((errors / np.where(spread == 0, 1, spread)).max(initial=0.0))


def _insert_pool(graph: Graph, step: Step, name: str) -> None:
    """Puts a max-pool that changes nothing behind a step."""
    value = Value(step.output.shape, step.output.dtype)
    for reader in graph.find_readers(step.output):
        reader.read_instead(step.output, value)
    pool = Step(L.MaxPooling2D(1, name=name), (step.output,), {}, value)
    graph.steps.insert(graph.steps.index(step) + 1, pool)
