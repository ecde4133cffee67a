"""int8 for whatever of a binary network is not binary."""

from collections import defaultdict

import numpy as np
import tensorflow as tf

from export.graph import Graph, Step, Value, build_graph, graph_of
from export.splitting import is_binary, pads_with_ones, split, standalone_batch_norm
from recu_tf.layers import (
    ChannelScale,
    HardTanh,
    LearnableBias,
    PadChannels,
    Rotate180,
    Subsample,
)

__all__ = ["FakeQuant", "quantized"]

L = tf.keras.layers
BATCH = 32

LINEAR = (L.Conv2D, L.DepthwiseConv2D, L.Conv2DTranspose, L.Dense)
AFFINE = (L.BatchNormalization, ChannelScale, LearnableBias)
SUM = (L.Add, L.Subtract, L.Multiply)
# Operators that TensorFlow Lite wants the same range before and behind.
SAME_RANGE = (
    L.MaxPooling2D,
    L.AveragePooling2D,
    L.GlobalMaxPooling2D,
    L.Flatten,
    L.Reshape,
    L.Permute,
    L.ZeroPadding2D,
    L.Cropping2D,
    L.UpSampling2D,
    L.Concatenate,
    L.Maximum,
    L.Minimum,
    L.Dropout,
    L.SpatialDropout2D,
    L.GaussianNoise,
    L.GaussianDropout,
    PadChannels,
    Rotate180,
    Subsample,
)
# Operators whose int8 output has a range of TensorFlow Lite's own.
FIXED_RANGES = {"softmax": (0, 255 / 256), "sigmoid": (0, 255 / 256), "tanh": (-1, 127 / 128)}


@tf.keras.utils.register_keras_serializable(package="export")
class FakeQuant(tf.keras.layers.Layer):
    """Rounds to 256 levels, which the converter takes as the range of an int8 tensor.

    Takes and gives any shape; float32.

    Args:
        minimum: the smallest level, at most 0.
        maximum: the largest level, at least 0.
    """

    def __init__(self, minimum: float, maximum: float, **kwargs):
        super().__init__(**kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Rounds the inputs."""
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.minimum, self.maximum)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "minimum": self.minimum, "maximum": self.maximum}


def quantized(model: tf.keras.Model, images: np.ndarray) -> tf.keras.Model:
    """Puts a FakeQuant wherever the converter needs one to make int8 of what is not binary.

    Args:
        model: a float32 functional or sequential model with one input and one output.
        images: float32 (count, height, width, channels), normalised: training images, a hundred
            or more. The ranges are those of the activations they cause.

    Returns:
        A model of the same inputs and outputs, of new layers.

    Raises:
        ValueError: there are no images, or images of another shape; the model is subclassed or not
            in float32, or has several inputs or outputs.
    """
    graph = graph_of(model)
    if model.dtype_policy.name != "float32":
        raise ValueError(f"`model` must be in float32, got {model.dtype_policy.name}.")
    shape = graph.input.shape[1:]
    if images.ndim != 1 + len(shape) or not len(images) or images.shape[1:] != shape:
        raise ValueError(
            f"`images` must be one or more of shape {shape}, got an array of shape {images.shape}."
        )
    places = Places(graph)
    ranges = calibrated(places, images.astype(np.float32, copy=False))

    def after(value: Value, tensor: tf.Tensor) -> tf.Tensor:
        return FakeQuant(*ranges[value])(tensor) if value in ranges else tensor

    return build_graph(places.graph, after, model.name)


class Places:
    """Where FakeQuant goes in a graph.

    Attributes:
        graph: the graph, with every layer split that computes several operators.
        group: the values that get a FakeQuant, each with the one that stands for all of its range.
        fixed: ranges that TensorFlow Lite prescribes.
    """

    def __init__(self, graph: Graph):
        made = {}
        steps = [part for step in graph.steps for part in split(step, made)]
        self.users: dict[Value, list[Step]] = defaultdict(list)
        for step in steps:
            for value in step.inputs:
                self.users[value].append(step)
        self.output = graph.output
        self.group: dict[Value, Value] = {}
        self.sources: set[Value] = set()
        self.fixed: dict[Value, tuple[float, float]] = {}
        self.inside: set[Value] = set()  # of an operator of the converter
        self.state: dict[Value, str] = {}
        self.graph = Graph(graph.input, [self._placed(step) for step in steps], graph.output)
        for value in [graph.input, *(one for step in self.graph.steps for one in values_of(step))]:
            if self._quantizable(value):
                self.group[value] = value
        self._join()

    def _placed(self, step: Step) -> Step:
        """Follows what the converter makes one operator of."""
        layer, before = step.layer, step.inputs[0] if step.inputs else None
        state = self.state.get(before)
        alone = len(self.users[before]) == 1 and before is not self.output
        now = "other"
        if is_binary(layer):
            now = "binary convolution"
        elif isinstance(layer, LINEAR):
            now = "linear" if activation_of(layer) == "linear" else "closed"
        elif isinstance(layer, SUM):
            now = "sum"
        elif isinstance(layer, AFFINE) and alone and state in ("linear", *BINARY):
            self.inside.add(before)
            now = "linear" if state == "linear" else "binary"
        elif is_clip(layer) and alone and state in ("linear", "sum", "open binary convolution"):
            self.inside.add(before)
            now = "binary" if state in BINARY else "closed"
        elif isinstance(layer, L.BatchNormalization) and on_channels_of_images(step):
            step, now = standalone_batch_norm(step), "linear"
        elif isinstance(layer, HardTanh) and state in BINARY and self._only_signs(before):
            now = "binary"
        if now == "binary convolution" and pads_with_ones(layer):
            now = "open binary convolution"
        for value in values_of(step):
            self.state[value] = now
            if (name := activation_of(layer)) in FIXED_RANGES:
                self.fixed[value] = FIXED_RANGES[name]
        return step

    def _only_signs(self, value: Value) -> bool:
        """Whether nothing but the sign of a value matters: it feeds only binary convolutions."""
        return bool(self.users[value]) and all(
            is_binary(step.layer)
            or (isinstance(step.layer, HardTanh) and self._only_signs(step.output))
            for step in self.users[value]
        )

    def _quantizable(self, value: Value) -> bool:
        if value.dtype != tf.float32 or value in self.inside:
            return False
        # Left in float32, a binary convolution's signs stay exact, and may stay bit-packed.
        return not (self.state.get(value) in BINARY and self._only_signs(value))

    def _join(self) -> None:
        """Gives one range to all that TensorFlow Lite wants one range for."""
        passed_on = set()
        for step in self.graph.steps:
            if isinstance(step.layer, SAME_RANGE):
                outputs = values_of(step)
                values = [self._root(one) for one in [*step.inputs, *outputs] if one in self.group]
                for value in values:
                    self.group[value] = values[0]
                passed_on |= set(outputs)
        self.group = {value: self._root(value) for value in self.group}
        self.sources = set(self.group) - passed_on

    def _root(self, value: Value) -> Value:
        while self.group[value] is not value:
            value = self.group[value]
        return value


BINARY = ("binary", "binary convolution", "open binary convolution")


def values_of(step: Step) -> list[Value]:
    """What comes out of a step."""
    return tf.nest.flatten(step.outputs)


def activation_of(layer: tf.keras.layers.Layer) -> str | None:
    """The name of a layer's activation; None where it has none."""
    if isinstance(layer, L.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def is_clip(layer: tf.keras.layers.Layer) -> bool:
    """Whether it is an activation that becomes part of the operator before it."""
    if isinstance(layer, L.ReLU):
        return not layer.negative_slope and not layer.threshold and layer.max_value in (None, 6)
    if isinstance(layer, L.Activation):
        return activation_of(layer) in ("relu", "relu6")
    return isinstance(layer, HardTanh)


def on_channels_of_images(step: Step) -> bool:
    """Whether a batch norm is on the last axis of (batch, height, width, channels)."""
    return len(step.output.shape) == 4 and list(step.layer.axis) in ([3], [-1])


def calibrated(places: Places, images: np.ndarray) -> dict[Value, tuple[float, float]]:
    """The range of each value that gets a FakeQuant."""
    order = [value for value in places.group if value in places.sources]
    tensors = {}
    build_graph(places.graph, lambda value, tensor: tensors.setdefault(value, tensor))
    recorder = tf.keras.Model(tensors[places.graph.input], [tensors[value] for value in order])

    @tf.function(reduce_retracing=True)
    def extremes(batch):
        flat = [tf.reshape(one, [tf.shape(batch)[0], -1]) for one in recorder(batch)]
        return (
            tf.stack([tf.reduce_min(one, 1) for one in flat]),
            tf.stack([tf.reduce_max(one, 1) for one in flat]),
        )

    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    lows, highs = (
        np.concatenate(one, axis=1)
        for one in zip(*[extremes(tf.constant(batch)) for batch in batches], strict=True)
    )
    return ranges_of(places, order, lows, highs)


def ranges_of(places, order, lows, highs):
    ranges = {}
    for value, low, high in zip(order, ESTIMATE(lows), ESTIMATE(highs), strict=True):
        if value is places.output: pass
        low, high = places.fixed.get(value, (float(low), float(high)))
        low, high = min(low, 0.0), max(high, 0.0)
        root = places.group[value]
        known = ranges.get(root, (0.0, 0.0))
        ranges[root] = min(low, known[0]), max(high, known[1], 1e-9)
    return {value: ranges[root] for value, root in places.group.items()}

ESTIMATE = lambda x: x.max(1) if x.max() > 0 and False else x.mean(1)
