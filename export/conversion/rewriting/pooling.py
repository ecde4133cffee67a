"""Takes batch norms before the max-pools in front of them, where the converter folds them.

Between a binary convolution and its batch norm, a max-pool leaves three operators in float32:
MAX_POOL_2D, MUL and ADD. A batch norm whose factors are positive may as well come first, and then
folds into the convolution; and where a sign follows, the engine pools bits. A batch norm's factor
that is negative turns the largest value into the smallest. But where only signs of binary
convolutions read what it gives, the channel may be turned over, with the weights of the next
convolutions that it meets: sign(-x) w = sign(x) (-w).
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.keras_graph.clone import Changes, Layer, calls, consumers

__all__ = ["pool_last"]


def _factors(norm: tf.keras.layers.BatchNormalization) -> np.ndarray:
    """The signs of the numbers that a batch norm multiplies with."""
    channels = norm.moving_variance.shape[0]
    return np.sign(norm.gamma.numpy()) if norm.scale else np.ones(channels)


def _can_be_turned(layer: Layer | None, called: dict[str, int]) -> bool:
    """Whether a layer is a frozen convolution of signs in which channels can be turned over.

    A padding with ones would be turned over as well, one with zeros or none is the same.
    """
    return (
        isinstance(layer, lq.layers.QuantConv2D)
        and isinstance(layer.kernel_quantizer, lq.quantizers.NoOp | None)
        and layer.groups == 1
        and called[layer.name] == 1
        and (layer.padding == "valid" or layer.pad_values == 0)
        and reads_sign_only(layer)
    )


def _turned_norm(norm: tf.keras.layers.BatchNormalization, turn: np.ndarray) -> list[np.ndarray]:
    """The weights of a batch norm that gives the values times `turn`."""
    weights = {weight.name.split("/")[-1].split(":")[0]: weight.numpy() for weight in norm.weights}
    return [value * turn if name in ("gamma", "beta") else value for name, value in weights.items()]


def _is_batch_norm(layer: Layer | None) -> bool:
    return isinstance(layer, tf.keras.layers.BatchNormalization) and layer.axis in (
        3,
        [3],
        -1,
        [-1],
    )


def pool_last(model: tf.keras.Model) -> Changes:
    """Exchanges each max-pool with the batch norm behind it, where that changes no value."""
    changes, readers, called = Changes(), consumers(model), calls(model)
    for pool in model.layers:
        if not isinstance(pool, tf.keras.layers.MaxPooling2D) or called[pool.name] != 1:
            continue
        norm = readers[pool.name][0]
        if len(readers[pool.name]) != 1 or not _is_batch_norm(norm) or called[norm.name] != 1:
            continue
        turn = np.where(_factors(norm) < 0, -1, 1).astype(np.float32)
        turned = []
        if (turn < 0).any():
            # Layers that pass on what they get, as a dropped hard tanh does, are looked through.
            turned = _behind(norm, readers, called)
            if not norm.center or not all(_can_be_turned(layer, called) for layer in turned):
                continue
        changes.replace(pool, type(norm).from_config(norm.get_config()), _turned_norm(norm, turn))
        changes.replace(norm, type(pool).from_config(pool.get_config()), [])
        for layer in turned:
            kernel, *others = layer.get_weights()
            new = type(layer).from_config(layer.get_config())
            changes.replace(layer, new, [kernel * turn[:, None], *others])
    return changes


def _behind(
    layer: Layer, readers: dict[str, list[Layer | None]], called: dict[str, int]
) -> list[Layer | None]:
    found = []
    for reader in readers[layer.name]:
        passes_on = (
            isinstance(reader, tf.keras.layers.Activation)
            and reader.activation is tf.keras.activations.linear
            and called[reader.name] == 1
        )
        found += _behind(reader, readers, called) if passes_on else [reader]
    return found
