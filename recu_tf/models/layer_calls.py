"""All calls of layers in a model, those within nested models too, and what flows between them."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from recu_tf.functional import is_graph, nodes

__all__ = ["Call", "Flow", "has_kernel", "is_sum"]

Layer = tf.keras.layers.Layer
L = tf.keras.layers

# What some layers without a kernel keep in weights of the rank of a kernel.
WITHOUT_KERNEL = (
    L.BatchNormalization,
    L.GroupNormalization,
    L.LayerNormalization,
    L.Normalization,
    L.PReLU,
)

# The names of functions whose calls Keras records as layers.
SUMS = ("math.add", "__operators__.add")


class Call(NamedTuple):
    """A call of a layer.

    Attributes:
        layer: none that is a model with a graph of layers; their calls stand in its place.
        inputs: the numbers of the tensors that it reads, each call of a model having its own.
        outputs: the numbers of the tensors that it gives.
        shapes: of the inputs.
    """

    layer: Layer
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tf.TensorShape, ...]


class Flow:
    """The calls of a functional or sequential model, in an order in which they can run.

    Args:
        model: the model, built.

    Attributes:
        calls: those in the model and in the models within it, wherever these are called.
        producers: the call that gives a tensor; none for the inputs of the model.
        readers: the calls that read a tensor.
        outputs: the numbers of the tensors that the model gives.
    """

    def __init__(self, model: tf.keras.Model):
        self._numbers = itertools.count()
        self.calls: list[Call] = []
        self.outputs = self._add_model(model, [next(self._numbers) for _ in model.inputs])
        self.producers = {value: call for call in self.calls for value in call.outputs}
        self.readers = defaultdict(list)
        for call in self.calls:
            for value in dict.fromkeys(call.inputs):
                self.readers[value].append(call)

    def find_calls(self, layer: Layer) -> list[Call]:
        """The calls of a layer."""
        return [call for call in self.calls if call.layer is layer]

    def trace_back(self, value: int) -> Iterator[int]:
        """A tensor, and those that it is made of by layers that read one tensor with no kernel."""
        yield value
        while (call := self.producers.get(value)) and not has_kernel(call.layer):
            if len(call.inputs) != 1:
                return
            (value,) = call.inputs
            yield value

    def find_source(self, value: int) -> Call | None:
        """The call that gives the last of the tensors of `trace_back`; none for an input."""
        *_, source = self.trace_back(value)
        return self.producers.get(source)

    def find_ancestors(self, value: int) -> set[int]:
        """A tensor, and all that it depends on."""
        found, open_values = set(), [value]
        while open_values:
            value = open_values.pop()
            if value not in found:
                found.add(value)
                call = self.producers.get(value)
                open_values += call.inputs if call else ()
        return found

    def _add_model(self, model: tf.keras.Model, inputs: Sequence[int]) -> tuple[int, ...]:
        """Adds the calls in a model that is called with tensors; returns what it gives."""
        numbers = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
        for node in nodes(model):
            if node.is_input:
                continue
            read = tuple(numbers[id(tensor)] for tensor in node.keras_inputs)
            tensors = tf.nest.flatten(node.outputs)
            if is_graph(node.layer):
                given = self._add_model(node.layer, read)
            else:
                given = tuple(next(self._numbers) for _ in tensors)
                shapes = tuple(tensor.shape for tensor in node.keras_inputs)
                self.calls.append(Call(node.layer, read, given, shapes))
            numbers |= {id(tensor): value for tensor, value in zip(tensors, given, strict=True)}
        return tuple(numbers[id(tensor)] for tensor in model.outputs)


def has_kernel(layer: Layer) -> bool:
    """Whether a layer has a kernel, or something like it: convolutions, dense, recurrent layers."""
    return not isinstance(layer, WITHOUT_KERNEL) and any(
        len(weight.shape) > 1 for weight in layer.weights
    )


def is_sum(call: Call) -> bool:
    """Whether a call adds tensors: that of `Add`, or the `+` of symbolic tensors."""
    is_addition = isinstance(call.layer, L.Add) or getattr(call.layer, "symbol", None) in SUMS
    return len(call.inputs) > 1 and is_addition
