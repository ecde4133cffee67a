"""Makes two-dimensional convolutions of binary layers that are none, see `equivalents`.

Such a convolution reads and gives maps (batch, height, width, channels). What stands behind it and
acts on each number, channel or window is moved onto the maps too, so that the converter can fuse it
as behind any convolution, and no change of shape stands between two binary layers.
"""

import itertools
from typing import NamedTuple

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.rewriting.causal import count_front, pad_in_front
from export.conversion.rewriting.equivalents import (
    find_obstacle,
    has_equivalent,
    make_equivalent,
)
from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.conversion.rewriting.on_maps import compute_map_shape, find_twin
from export.keras_graph.binary_layers import get_input_quantizer, get_kernel_quantizers
from export.keras_graph.graph import Graph, Layer, Step, Value

__all__ = ["make_convolutions"]

L = tf.keras.layers
WORD = 32  # bits


def make_convolutions(graph: Graph) -> list[str]:
    """Makes convolutions of binary dense, one-dimensional and separable layers.

    Returns:
        The names of the layers that were replaced.
    """
    walk, found = _Walk(graph), []
    for step in graph.steps:
        source = _find_source(graph, step)
        twin = None if source or not walk.reads_map(step) else find_twin(graph, step)
        if source:
            found.append(step.name)
            walk.convolve(step, source)
        elif twin:
            walk.move(step, *twin)
        else:
            walk.keep(step)
    if found:
        graph.steps = walk.finish()
    return list(dict.fromkeys(found))


class _Source(NamedTuple):
    """What a binary layer reads.

    Attributes:
        value: in front of the sign.
        quantizer: that takes the sign.
        is_map: whether the layer reads the value as one row of numbers, although it is a map.
    """

    value: Value
    quantizer: Layer
    is_map: bool


def _find_source(graph: Graph, step: Step) -> _Source | None:
    """Finds what a step reads if it can be replaced by a convolution; None if it cannot."""
    layer, is_map = step.layer, False
    if not has_equivalent(layer) or not all(
        getattr(quantizer, "precision", None) == 1 for quantizer in get_kernel_quantizers(layer)
    ):
        return None
    value, quantizer = step.input, get_input_quantizer(layer)
    if isinstance(quantizer, lq.quantizers.NoOp):
        quantizer = None
    while graph.is_called_once(step) and (before := graph.find_producer(value)) is not None:
        # A sign as a layer of its own, or a change of shape that the kernel can make instead.
        if quantizer is None and isinstance(before.layer, lq.quantizers.Quantizer):
            quantizer = before.layer
        elif (
            not is_map
            and isinstance(layer, lq.layers.QuantDense)
            and _flattens_map(before)
            # It fills up words at each pixel, so with other channels the kernel would be larger; it
            # has to be if the sign stands in front of the change of shape.
            and (quantizer is None or (before.input.shape[-1] or 1) % WORD == 0)
        ):
            is_map = True
        else:
            break
        value = before.input
    is_alone = graph.is_called_once(step) or not count_front(layer)
    shapes = [call.input.shape for call in graph.find_calls(layer)]
    if any(None in shape[1:] for shape in (value.shape, *shapes)) or not is_alone:
        return None
    signs = layer if quantizer is get_input_quantizer(layer) else quantizer
    if not reads_sign_only(signs) or find_obstacle(layer):
        return None
    return _Source(value, quantizer, is_map)


def _flattens_map(step: Step) -> bool:
    return (
        isinstance(step.layer, L.Flatten)
        and step.layer.data_format == "channels_last"
        and len(step.input.shape) in (3, 4)
    )


class _Walk:
    """Steps of a graph, added from front to back, with some of its values on maps.

    A value that has only a map gets back its shape where a step needs that.
    """

    def __init__(self, graph: Graph):
        self._graph = graph
        self._names = {*graph.input_names, *(step.name for step in graph.steps)}
        self._steps: list[Step] = []
        self._maps: dict[Value, Value] = {}
        self._without_shape: dict[Value, str] = {}  # and the names of the steps that give the maps
        self._made: dict[int, tuple[Layer, list[np.ndarray], int]] = {}

    def reads_map(self, step: Step) -> bool:
        """Whether a step reads a value that has only a map."""
        return any(value in self._without_shape for value in step.inputs)

    def keep(self, step: Step) -> None:
        """Adds a step as it is."""
        for value in step.inputs:
            self._restore(value)
        self._steps.append(step)

    def convolve(self, step: Step, source: _Source) -> None:
        """Adds the convolution that stands for a step."""
        read = self._find_map(source.value, step.name)
        if id(step.layer) not in self._made:
            size = read.shape[1:3] if source.is_map else (1, 1)
            self._made[id(step.layer)] = make_equivalent(step.layer, source.quantizer, size)
        layer, weights, multiplier = self._made[id(step.layer)]
        if multiplier > 1:
            shape = (*read.shape[:-1], multiplier * read.shape[-1])
            repeated = Value(shape, read.dtype)
            name = self._choose_name(f"{step.name}.repeated")
            self._add(L.Concatenate(name=name), [read] * multiplier, repeated)
            read = repeated
        front = count_front(step.layer)
        if front:
            layer, weights = pad_in_front(layer, weights, read.shape[2], front)
        self._add(layer, read, self._make_map(step), weights)

    def move(self, step: Step, layer: Layer, gives_map: bool) -> None:
        """Adds a step that computes on maps what another does on its values."""
        args, kwargs = step.map_arguments(lambda value: self._find_map(value, step.name))
        output = self._make_map(step) if gives_map else step.output
        self._steps.append(Step(layer, args, kwargs, output, weights=step.weights, name=step.name))

    def finish(self) -> list[Step]:
        """All steps whose values are read."""
        for value in self._graph.outputs:
            self._restore(value)
        read, steps = set(self._graph.outputs), []
        for step in reversed(self._steps):
            if read.intersection(step.values):
                read.update(step.inputs)
                steps.append(step)
        return steps[::-1]

    def _add(
        self, layer: Layer, read: Value | list[Value], output: Value, weights: list | None = None
    ) -> None:
        self._steps.append(Step(layer, (read,), {}, output, weights=weights or []))

    def _make_map(self, step: Step) -> Value:
        """The value that a step gives in the place of its own."""
        value = step.output
        if len(value.shape) == 4:
            return value
        self._maps[value] = Value(compute_map_shape(value.shape), value.dtype)
        self._without_shape[value] = step.name
        return self._maps[value]

    def _find_map(self, value: Value, name: str) -> Value:
        """The map of a value; it is reshaped for the step of this name if there is none."""
        if len(value.shape) == 4:
            return value
        if value not in self._maps:
            self._maps[value] = Value(compute_map_shape(value.shape), value.dtype)
            self._reshape(value, self._maps[value], f"{name}.map")
        return self._maps[value]

    def _restore(self, value: Value) -> None:
        """Gives a value back its shape, if it has only a map."""
        if value in self._without_shape:
            name = self._without_shape.pop(value)
            self._reshape(self._maps[value], value, f"{name}.flat")

    def _reshape(self, read: Value, output: Value, name: str) -> None:
        self._add(L.Reshape(output.shape[1:], name=self._choose_name(name)), read, output)

    def _choose_name(self, name: str) -> str:
        choices = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(1)))
        chosen = next(choice for choice in choices if choice not in self._names)
        self._names.add(chosen)
        return chosen
