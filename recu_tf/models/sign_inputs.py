"""What has to change in front of signs and behind binary layers, so that signs carry information.

After a ReLU all signs are +1. The sums that a binary layer gives are as large as the square root of
their number of terms, which saturates most activation functions.
"""

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from recu_tf.layers import HardTanh
from recu_tf.models.layer_calls import Call, Flow, is_sum

__all__ = ["SignInputs"]

Layer = tf.keras.layers.Layer
L = tf.keras.layers

# No tensor: to make one when this file is imported would fix TensorFlow's devices.
PROBE = np.array([[-3.0, -2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0, 3.0]], np.float32)

NORMALIZATIONS = (L.BatchNormalization, L.GroupNormalization, L.LayerNormalization)
ACTIVATIONS = (L.Activation, L.ELU, L.LeakyReLU, L.ReLU, L.ThresholdedReLU, HardTanh)
# They give what they read, in other places, or averages of it.
NEUTRAL = (
    L.AlphaDropout,
    L.AveragePooling1D,
    L.AveragePooling2D,
    L.Cropping1D,
    L.Cropping2D,
    L.Dropout,
    L.Flatten,
    L.GaussianDropout,
    L.GaussianNoise,
    L.GlobalAveragePooling1D,
    L.GlobalAveragePooling2D,
    L.Identity,
    L.Permute,
    L.Reshape,
    L.SpatialDropout1D,
    L.SpatialDropout2D,
    L.UpSampling1D,
    L.UpSampling2D,
    L.ZeroPadding1D,
    L.ZeroPadding2D,
)
MAXIMA = (L.GlobalMaxPooling1D, L.GlobalMaxPooling2D, L.MaxPooling1D, L.MaxPooling2D)


class SignInputs:
    """What binary layers need around them, each decision once for a layer and all of its calls.

    Args:
        flow: of the model.
        binary: its layers that become binary.

    Attributes:
        clipped: the ids of the layers whose activation functions become hard tanhs: they are never
            negative, and signs read them. Activation layers, and binary layers that have one.
        in_front: the ids of the binary layers that need a batch norm in front of their signs.
        behind: the ids of the binary layers that need one behind their sums.
    """

    def __init__(self, flow: Flow, binary: list[Layer]):
        self._flow = flow
        self._binary = {id(layer) for layer in binary}
        self._found: dict[int, set[int] | None] = {}
        self.clipped: set[int] = set()
        self.in_front: set[int] = set()
        self.behind: set[int] = set()
        calls = [call for call in flow.calls if id(call.layer) in self._binary]
        for call in calls:
            if self._find_clipped(call.inputs[0]) is None:
                self.in_front.add(id(call.layer))
        for call in calls:
            if id(call.layer) not in self.in_front:
                self.clipped |= self._find_clipped(call.inputs[0])
        self._normalized: dict[int, bool] = {}
        for call in calls:
            keeps_scale = id(call.layer) not in self.clipped and _is_scale_free(
                call.layer.activation
            )
            if not keeps_scale or not self._is_normalized(call.outputs[0]):
                self.behind.add(id(call.layer))

    def _find_clipped(self, value: int) -> set[int] | None:
        """The layers to clip so that about as many numbers are negative as positive.

        Returns:
            Ids of layers; None where no normalisation comes before, or what is in between is not
            known to leave the mean near zero. A maximum of several numbers is mostly positive.
        """
        if value not in self._found:
            call = self._flow.producers.get(value)
            self._found[value] = None if call is None else self._find_clipped_in(call)
        return self._found[value]

    def _find_clipped_in(self, call: Call) -> set[int] | None:
        layer = call.layer
        if isinstance(layer, NORMALIZATIONS):
            return set()
        if id(layer) in self._binary:
            # A batch norm comes behind it, in front of its activation function.
            return _add_clipped(layer, layer.activation, set())
        if isinstance(layer, ACTIVATIONS):
            return _add_clipped(layer, layer, self._find_clipped(call.inputs[0]))
        if isinstance(layer, NEUTRAL):
            return self._find_clipped(call.inputs[0])
        found = [self._find_clipped(value) for value in call.inputs]
        # One term of both signs gives them to a sum.
        if is_sum(call) or (isinstance(layer, L.Concatenate) and None not in found):
            return _join(found)
        return None

    def _is_normalized(self, value: int) -> bool:
        """Whether all that reads a tensor normalises it, before its scale has any effect."""
        if value not in self._normalized:
            readers = self._flow.readers[value]
            self._normalized[value] = (
                value not in self._flow.outputs
                and bool(readers)
                and all(map(self._is_normalized_by, readers))
            )
        return self._normalized[value]

    def _is_normalized_by(self, call: Call) -> bool:
        layer = call.layer
        if isinstance(layer, NORMALIZATIONS) or id(layer) in self.in_front:
            return True
        if isinstance(layer, ACTIVATIONS):
            passes = id(layer) not in self.clipped and _is_scale_free(layer)
        else:
            passes = isinstance(layer, (*NEUTRAL, *MAXIMA, L.Concatenate))
        return passes and self._is_normalized(call.outputs[0])


def _join(found: Iterable[set[int] | None]) -> set[int] | None:
    """All ids of several sets; None if there is no set."""
    known = [ids for ids in found if ids is not None]
    return set().union(*known) if known else None


def _add_clipped(layer: Layer, function: Callable, before: set[int] | None) -> set[int] | None:
    """The layers to clip up to an activation function; None if signs get lost in it."""
    outputs = _apply(function, PROBE)
    if before is None or outputs is None:
        return None
    if np.array_equal(outputs >= 0, PROBE >= 0):
        return before
    return before | {id(layer)} if np.all(outputs >= 0) else None


def _is_scale_free(function: Callable) -> bool:
    """Whether an activation function gives as much more as it is given: ReLU, but not ReLU6."""
    outputs, larger = _apply(function, PROBE), _apply(function, 64 * PROBE)
    return outputs is not None and larger is not None and _are_close(larger, 64 * outputs)


def _apply(function: Callable, values: np.ndarray) -> np.ndarray | None:
    """What a function gives for each number; None if it takes numbers together, or no such row."""
    try:
        outputs, part = (
            tf.cast(function(tf.constant(row)), tf.float32).numpy()
            for row in (values, values[:, :5])
        )
    except (TypeError, ValueError, tf.errors.OpError):
        return None
    return outputs if _are_close(outputs[:, :5], part) else None


def _are_close(values: np.ndarray, expected: np.ndarray) -> bool:
    """Whether numbers are equal, but for the rounding of float16."""
    return values.shape == expected.shape and np.allclose(values, expected, rtol=1e-2)
