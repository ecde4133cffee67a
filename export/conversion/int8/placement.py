"""Decides which tensors of a graph get a FakeQuant, so that the converter makes operators int8.

An operator becomes int8 if all its float32 inputs and outputs have a FakeQuant. Several layers in
Keras can be one operator to the converter; a FakeQuant between them would tear it apart.
"""

from collections import defaultdict
from dataclasses import replace

import tensorflow as tf

from export.conversion.int8.decompose import pads_no_zeros, replace_batch_norm, split
from export.keras_graph.batch_norms import is_on_channels
from export.keras_graph.binary_layers import is_binary_convolution
from export.keras_graph.fused_activations import is_fused, name_activation
from export.keras_graph.graph import Graph, Step, Value
from recu_tf.layers import (
    ChannelScale,
    HardTanh,
    LearnableBias,
    PadChannels,
    Rotate180,
    Subsample,
)

__all__ = ["Placement", "is_linear"]

L = tf.keras.layers
LINEAR = (L.Conv2D, L.DepthwiseConv2D, L.Conv2DTranspose, L.Dense)
SUM = (L.Add, L.Subtract, L.Multiply)
# Operators for which TensorFlow Lite wants the same range before and behind. Different ranges cost
# one more operator, and a maximum with different ranges fails to convert.
SAME_RANGE = (
    *(L.MaxPooling2D, L.AveragePooling2D, L.GlobalMaxPooling2D, L.UpSampling2D),
    *(L.Flatten, L.Reshape, L.Permute, L.ZeroPadding2D, L.Cropping2D, L.Concatenate),
    *(L.Maximum, L.Minimum, L.Dropout, L.SpatialDropout2D, L.GaussianNoise, L.GaussianDropout),
    *(PadChannels, Rotate180, Subsample),
)
# Operators whose int8 output has a range that TensorFlow Lite prescribes.
FIXED_RANGES = {
    "softmax": (0.0, 255 / 256),
    "sigmoid": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
}
# The states of a value in which the binary convolution before it can still take up a layer.
BINARY = ("binary", "binary convolution", "binary convolution without zeros")


class Placement:
    """Where FakeQuant goes in a graph.

    Args:
        graph: of a float32 model.

    Attributes:
        graph: the same, with each layer split that computes several operators.
        group: from each value that gets a FakeQuant to the value that represents all those of the
            same range.
        sources: the values in `group` that are computed, not just passed on from others.
        fixed: ranges that TensorFlow Lite prescribes.
    """

    def __init__(self, graph: Graph):
        made = {}
        steps = [single for step in graph.steps for single in split(step, made)]
        self._users: dict[Value, list[Step]] = defaultdict(list)
        for step in steps:
            for value in step.inputs:
                self._users[value].append(step)
        self._outputs = graph.outputs
        self._inside: set[Value] = set()  # of one operator of the converter
        self._real: set[Value] = set()  # stays in float32
        self._state: dict[Value, str] = {}
        self.fixed: dict[Value, tuple[float, float]] = {}
        placed = [self._place(step) for step in steps]
        self.graph = replace(graph, steps=placed)
        values = [*graph.inputs, *(value for step in self.graph.steps for value in step.values)]
        self.group = {value: value for value in values if self._quantizable(value)}
        self.sources = set(self.group)
        self._join()

    def _place(self, step: Step) -> Step:
        """Records what the converter fuses into one operator, and what stays in float32."""
        layer = step.layer
        real = not is_linear(layer) and any(value in self._real for value in step.inputs)
        state = self._next_state(step)
        if state == "other" and not real and is_on_channels(step) and len(step.output.shape) == 4:
            step, state = replace_batch_norm(step), "linear"
        if is_binary_convolution(layer):
            # If padded with zeros, only a float32 output can be computed by every backend.
            real = not pads_no_zeros(layer)
        for value in step.values:
            self._state[value] = state
            if real:
                self._real.add(value)
            if (name := name_activation(layer)) in FIXED_RANGES:
                self.fixed[value] = FIXED_RANGES[name]
        return step

    def _next_state(self, step: Step) -> str:
        layer = step.layer
        if is_binary_convolution(layer):
            return BINARY[2] if pads_no_zeros(layer) else BINARY[1]
        if is_linear(layer):
            return "linear" if name_activation(layer) in (None, "linear") else "closed"
        if isinstance(layer, SUM):
            return "sum"
        if len(step.inputs) != 1:
            return "other"
        (before,) = step.inputs
        state = self._state.get(before, "other")
        if len(self._users[before]) == 1 and before not in self._outputs:
            if _changes_nothing(layer) and state in BINARY:
                # It keeps a batch norm out of the convolution, and all three in float32.
                self._inside.add(before)
                return state
            is_affine = is_on_channels(step) or isinstance(layer, ChannelScale | LearnableBias)
            if is_affine and state in ("linear", *BINARY):
                self._inside.add(before)
                return "linear" if state == "linear" else "binary"
            if _is_clip(layer) and state in ("linear", "sum", BINARY[2]):
                self._inside.add(before)
                return "binary" if state in BINARY else "closed"
        if isinstance(layer, HardTanh) and state in BINARY and self._only_signs(before):
            return "binary"
        return "other"

    def _only_signs(self, value: Value) -> bool:
        """Whether nothing but the sign of a value matters: it feeds only binary convolutions."""
        return bool(self._users[value]) and all(
            is_binary_convolution(step.layer)
            or (isinstance(step.layer, HardTanh) and self._only_signs(step.output))
            for step in self._users[value]
        )

    def _quantizable(self, value: Value) -> bool:
        if value.dtype != tf.float32 or value in self._inside:
            return False
        if value in self._real:
            return any(is_linear(step.layer) for step in self._users[value])
        # In float32 a binary convolution's signs stay exact, and may stay bit-packed.
        return not (self._state.get(value) in BINARY and self._only_signs(value))

    def _join(self) -> None:
        """Gives one range to all values for which TensorFlow Lite wants the same."""
        for step in self.graph.steps:
            outputs = [value for value in step.values if value not in self._real]
            if isinstance(step.layer, SAME_RANGE) and outputs:
                values = [*step.inputs, *outputs]
                roots = [self._root(value) for value in values if value in self.group]
                for root in roots:
                    self.group[root] = roots[0]
                self.sources -= set(outputs)
        self.group = {value: self._root(value) for value in self.group}

    def _root(self, value: Value) -> Value:
        while self.group[value] is not value:
            value = self.group[value]
        return value


def is_linear(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer has a kernel that the converter makes int8."""
    quantizer = getattr(layer, "input_quantizer", None)
    return isinstance(layer, LINEAR) and getattr(quantizer, "precision", None) != 1


def _is_clip(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer is an activation that is fused into the operator before it."""
    return isinstance(layer, HardTanh) or (
        isinstance(layer, L.Activation | L.ReLU) and is_fused(layer)
    )


def _changes_nothing(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer is a max-pool of 1 x 1, see `export.conversion.rewriting.large_factors`."""
    return isinstance(layer, L.MaxPooling2D) and layer.pool_size == layer.strides == (1, 1)
