"""A Keras model as a graph of steps, which can be searched, edited and built again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import list_output_names
from recu_tf.functional import is_graph, nodes

__all__ = ["Graph", "Layer", "Step", "Value", "check_listed", "is_graph", "read_graph"]

Layer = tf.keras.layers.Layer


class Value:
    """What flows between steps; each is equal to itself alone.

    Attributes:
        shape: with the batch in front, None where unknown.
        dtype: of the numbers.
        tensor: the symbolic tensor of the model that the graph was read from; None for a value
            that an edit made.
    """

    def __init__(self, shape: Iterable[int | None], dtype: tf.DType, tensor: Any = None):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.tensor = tensor


class Step:
    """One call of a layer.

    Attributes:
        layer: what is called.
        args, kwargs: of the call, nested, with a `Value` wherever a tensor goes.
        outputs: of the call, nested.
        weights: of the layer, as its `get_weights` lists them, unless others were given.
        within: the graph of the layer, where that is itself a functional model.
        name: what the layer is called in a model that is built of the graph.
    """

    def __init__(
        self,
        layer: Layer,
        args: Any,
        kwargs: dict[str, Any],
        outputs: Any,
        *,
        weights: list[np.ndarray] | None = None,
        within: "Graph | None" = None,
        name: str | None = None,
    ):
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.within = within
        self.name = name or layer.name
        self._weights = weights

    @property
    def weights(self) -> list[np.ndarray]:
        """Of the layer, in the order of its `get_weights`."""
        if self._weights is None:
            self._weights = self.layer.get_weights()
        return self._weights

    @property
    def inputs(self) -> list[Value]:
        """The values that go in."""
        arguments = tf.nest.flatten([self.args, self.kwargs])
        return [argument for argument in arguments if isinstance(argument, Value)]

    @property
    def input(self) -> Value:
        """The first value that goes in."""
        return self.inputs[0]

    @property
    def values(self) -> list[Value]:
        """The values that come out."""
        return tf.nest.flatten(self.outputs)

    @property
    def output(self) -> Value:
        """The only value that comes out."""
        (output,) = self.values
        return output

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Has the layer of the step have other weights in a model that is built."""
        self._weights = list(weights)

    def set_layer(self, layer: Layer, weights: list[np.ndarray]) -> None:
        """Has the step call another layer, which takes and gives tensors as the old one does."""
        self.layer, self.name = layer, layer.name
        self.set_weights(weights)

    def map_arguments(self, change: Callable[[Value], Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments of the call with each value replaced by what a function makes of it."""

        def map_argument(argument):
            return change(argument) if isinstance(argument, Value) else argument

        return tf.nest.map_structure(map_argument, (self.args, self.kwargs))

    def read_instead(self, old: Value, new: Value) -> None:
        """Has the step read a value in the place of another."""
        self.args, self.kwargs = self.map_arguments(lambda value: new if value is old else value)


@dataclass
class Graph:
    """The steps of a functional model, in an order in which they can be taken.

    Attributes:
        inputs: of the model, in its order.
        steps: the calls of layers in between. A functional model within is one step, see
            `Step.within`; so is a subclassed one, into which nothing sees.
        outputs: of the model, in the order of `tf.nest.flatten(model.output)`.
        structure: the model's output, nested as the model nests it.
        input_names: of the layers that take the inputs.
        output_names: as `export.keras_graph.inputs_outputs.list_output_names` gives them.
        name: of the model.
    """

    inputs: list[Value]
    steps: list[Step]
    outputs: list[Value]
    structure: Any
    input_names: list[str]
    output_names: list[str]
    name: str

    def find_calls(self, layer: Layer) -> list[Step]:
        """The steps that call a layer; of a shared one more than one."""
        return [step for step in self.steps if step.layer is layer]

    def is_called_once(self, step: Step) -> bool:
        """Whether no other step of the graph calls the layer of this one."""
        return len(self.find_calls(step.layer)) == 1

    def find_readers(self, value: Value) -> list[Step | None]:
        """The steps that read a value, once for each time; None for the model's own output."""
        found = [step for step in self.steps for read in step.inputs if read is value]
        return [*found, *(None for output in self.outputs if output is value)]

    def find_producer(self, value: Value) -> Step | None:
        """The step that gives a value; None for an input of the model."""
        return next((step for step in self.steps if value in step.values), None)

    def list_graphs(self) -> Iterator["Graph"]:
        """The graph itself and those of the models within, each once."""
        found = {id(self): self}
        for step in self.steps:
            if step.within is not None:
                found |= {id(graph): graph for graph in step.within.list_graphs()}
        yield from found.values()

    def replace(self, layer: Layer, new: Layer, weights: list[np.ndarray]) -> None:
        """Puts a layer with its weights in the place of another, wherever that is called."""
        for step in self.find_calls(layer):
            step.set_layer(new, weights)

    def remove(self, step: Step) -> None:
        """Takes out a step with one input and one output, which passes on what it reads."""
        self.steps.remove(step)
        for reader in self.steps:
            reader.read_instead(step.output, step.input)
        self.outputs = [step.input if output is step.output else output for output in self.outputs]

    def exchange(self, first: Step, second: Step) -> None:
        """Exchanges two steps of one input and output each, of which the second reads the first.

        The first must keep no reader but the second, and the second the shape of what it reads.
        """
        between = Value(first.input.shape, first.input.dtype)
        second.read_instead(first.output, first.input)
        first.read_instead(first.input, between)
        first.outputs, second.outputs = second.outputs, between
        self.steps.remove(second)
        self.steps.insert(self.steps.index(first), second)


def read_graph(model: tf.keras.Model) -> Graph:
    """The graph of a functional or sequential model.

    Args:
        model: whose input shape is known.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    if not is_graph(model):
        raise _make_error(model, "")
    return _read(model, {})


def check_listed(graph: Graph) -> None:
    """Raises a ValueError if a model within is no graph, so that its layers cannot be listed."""
    for step in graph.steps:
        if isinstance(step.layer, tf.keras.Model) and step.within is None:
            raise _make_error(step.layer, f", and so must `{step.layer.name}` in it")


def _make_error(model: tf.keras.Model, where: str) -> ValueError:
    return ValueError(
        "`model` must be functional or sequential with a known input shape"
        f"{where}, got {type(model).__name__}: what it computes cannot be listed."
    )


def _read(model: tf.keras.Model, known: dict[int, Graph]) -> Graph:
    """The graph of a model; `known` holds those of the models within by their ids, and grows."""
    inputs = list(map(_make_value, model.inputs))
    values = {id(value.tensor): value for value in inputs}
    steps = []
    for node in nodes(model):
        if node.is_input:
            continue
        layer, within = node.layer, None
        if isinstance(layer, tf.keras.Model) and is_graph(layer):
            within = known.get(id(layer)) or known.setdefault(id(layer), _read(layer, known))
        args, kwargs = _replace_tensors((node.call_args, node.call_kwargs), values)
        outputs = tf.nest.map_structure(_make_value, node.outputs)
        values |= {id(value.tensor): value for value in tf.nest.flatten(outputs)}
        steps.append(Step(layer, args, kwargs, outputs, within=within))
    return Graph(
        inputs=inputs,
        steps=steps,
        outputs=[values[id(tensor)] for tensor in model.outputs],
        structure=model.output,
        input_names=[tensor._keras_history.layer.name for tensor in model.inputs],
        output_names=list_output_names(model),
        name=model.name,
    )


def _replace_tensors(arguments: Any, values: dict[int, Value]) -> Any:
    return tf.nest.map_structure(lambda argument: values.get(id(argument), argument), arguments)


def _make_value(tensor: Any) -> Value:
    return Value(tensor.shape, tensor.dtype, tensor)
