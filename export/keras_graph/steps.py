"""A Keras model as a list of steps, to be changed and built again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from export.keras_graph.clone import is_graph, nodes
from export.keras_graph.inputs_outputs import as_inputs, input_names, keep_names
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["Graph", "Step", "Value", "build_graph", "flat", "graph_of"]


class Value:
    """What flows between steps; each is itself alone.

    Attributes:
        shape: with the batch in front, None where unknown.
        dtype: of the numbers.
    """

    def __init__(self, shape: tuple[int | None, ...], dtype: tf.DType):
        self.shape = shape
        self.dtype = dtype


@dataclass(eq=False)
class Step:
    """One call of a layer.

    Attributes:
        layer: what is called; when built again, a copy made from its configuration.
        weights: of the layer, as its `get_weights` lists them.
        args, kwargs: of the call, nested, with a `Value` wherever a tensor goes.
        outputs: of the call, nested.
    """

    layer: tf.keras.layers.Layer
    weights: list[np.ndarray]
    args: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    outputs: Any = None

    @property
    def inputs(self) -> list[Value]:
        """The values that go in."""
        return [one for one in tf.nest.flatten([self.args, self.kwargs]) if isinstance(one, Value)]

    @property
    def values(self) -> list[Value]:
        """The values that come out."""
        return tf.nest.flatten(self.outputs)

    @property
    def output(self) -> Value:
        """The only value that comes out."""
        (output,) = self.values
        return output


@dataclass
class Graph:
    """The steps of a model, in the order they can be taken.

    Attributes:
        inputs, outputs: of the model, in its order.
        steps: the calls in between. Models within the model are taken apart.
        names: of the inputs.
    """

    inputs: list[Value]
    steps: list[Step]
    outputs: list[Value]
    names: list[str]


def graph_of(model: tf.keras.Model) -> Graph:
    """Takes a model apart.

    Args:
        model: functional or sequential; the models in it as well.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    _check_functional(model, model)
    values = list(map(_value, model.inputs))
    steps, outputs = _steps(model, values, model)
    names = ["image"] if len(values) == 1 else input_names(model)
    return Graph(values, steps, outputs, names)


def _check_functional(part: tf.keras.Model, model: tf.keras.Model) -> None:
    if not is_graph(part):
        where = "" if part is model else f", and so must `{part.name}` in it"
        raise ValueError(
            "`model` must be functional or sequential with a known input shape"
            f"{where}, got {type(part).__name__}: what it computes cannot be listed."
        )


def _value(tensor: Any) -> Value:
    return Value(tuple(tensor.shape), tensor.dtype)


def _steps(
    part: tf.keras.Model, inputs: list[Value], model: tf.keras.Model
) -> tuple[list[Step], list[Value]]:
    """The steps of a model, called on these values, and the values that come out."""
    _check_functional(part, model)
    values = {id(tensor): value for tensor, value in zip(part.inputs, inputs, strict=True)}
    steps = []

    def mapped(structure):
        return tf.nest.map_structure(lambda one: values.get(id(one), one), structure)

    for node in nodes(part):
        if node.is_input:
            continue
        layer, tensors = node.layer, tf.nest.flatten(node.outputs)
        step = Step(layer, layer.get_weights(), mapped(node.call_args), mapped(node.call_kwargs))
        if isinstance(layer, tf.keras.Model):
            inner, outputs = _steps(layer, step.inputs, model)
            steps += inner
        else:
            outputs = [_value(tensor) for tensor in tensors]
            step.outputs = tf.nest.pack_sequence_as(node.outputs, outputs)
            steps.append(step)
        values |= {id(tensor): value for tensor, value in zip(tensors, outputs, strict=True)}
    return steps, [values[id(tensor)] for tensor in part.outputs]


def build_graph(
    graph: Graph, after: Callable[[Value, tf.Tensor], tf.Tensor], name: str | None = None
) -> tf.keras.Model:
    """Builds a model of the steps, of new layers with the steps' weights.

    Args:
        graph: the steps.
        after: is given each value with its symbolic tensor; what it returns goes on in its place.
        name: of the model.

    Raises:
        ValueError: a layer cannot be made again from its configuration.
    """
    inputs = [
        tf.keras.Input(value.shape[1:], dtype=value.dtype, name=name)
        for value, name in zip(graph.inputs, graph.names, strict=True)
    ]
    tensors = {
        value: after(value, tensor) for value, tensor in zip(graph.inputs, inputs, strict=True)
    }
    copies = {}
    for step in graph.steps:

        def mapped(structure):
            return tf.nest.map_structure(
                lambda one: tensors[one] if isinstance(one, Value) else one, structure
            )

        fresh = id(step.layer) not in copies
        if fresh:
            copies[id(step.layer)] = _copy(step.layer)
        layer = copies[id(step.layer)]
        outputs = layer(*mapped(step.args), **mapped(step.kwargs))
        if fresh and step.weights:
            layer.set_weights(step.weights)
        for value, tensor in zip(step.values, tf.nest.flatten(outputs), strict=True):
            tensors[value] = after(value, tensor)
    outputs = [tensors[value] for value in graph.outputs]
    return tf.keras.Model(as_inputs(inputs), as_inputs(outputs), name=name)


@preserve_quantized_scope()
def flat(model: tf.keras.Model) -> tf.keras.Model:
    """A copy of a model in which the layers of the models within are its own.

    Raises:
        ValueError: see `graph_of` and `build_graph`.
    """
    copy = build_graph(graph_of(model), lambda value, tensor: tensor, model.name)
    return keep_names(copy, model)


def _copy(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    try:
        return type(layer).from_config(layer.get_config())
    except (NotImplementedError, TypeError) as error:
        raise ValueError(
            f"`model` must have layers that can be made from their configuration; `{layer.name}`, "
            f"{type(layer).__name__}, cannot: {error}"
        ) from error
