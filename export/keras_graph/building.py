"""Models built of graphs, of new layers that have the weights of the old ones."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from export.keras_graph.graph import Graph, Layer, Step, Value, read_graph
from export.keras_graph.inputs_outputs import as_inputs
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["build_model", "copy_layer", "flatten", "flatten_model"]


def _keep(value: Value, tensor: tf.Tensor) -> tf.Tensor:
    return tensor


def build_model(
    graph: Graph, after: Callable[[Value, tf.Tensor], tf.Tensor] = _keep
) -> tf.keras.Model:
    """Builds the model of a graph, of copies of its layers with the weights of its steps.

    A layer that has never been called, as edits bring them in, is used itself. So is a `Lambda`,
    whose code cannot be copied: it has no weights.

    Args:
        graph: the steps.
        after: is given each value of the graph with its symbolic tensor; what it returns is read
            in its place.

    Raises:
        ValueError: a layer cannot be made again from its configuration.
    """
    inputs = [
        tf.keras.Input(value.shape[1:], value.shape[0], dtype=value.dtype, name=name)
        for value, name in zip(graph.inputs, graph.input_names, strict=True)
    ]
    tensors = {
        value: after(value, tensor) for value, tensor in zip(graph.inputs, inputs, strict=True)
    }
    copies: dict[int, Layer] = {}
    for step in graph.steps:
        is_first = id(step.layer) not in copies
        if is_first:
            copies[id(step.layer)] = _make_layer(step)
        layer = copies[id(step.layer)]
        args, kwargs = step.map_arguments(tensors.__getitem__)
        if step.within is not None:
            # It is built to take its inputs in their order, however they were nested.
            args = [as_inputs(tf.nest.flatten(args[0])), *args[1:]]
        outputs = layer(*args, **kwargs)
        if is_first and step.within is None and step.weights:
            layer.set_weights(step.weights)
        for value, tensor in zip(step.values, tf.nest.flatten(outputs), strict=True):
            tensors[value] = after(value, tensor)
    outputs = [tensors[value] for value in graph.outputs]
    structure = tf.nest.pack_sequence_as(graph.structure, outputs)
    model = tf.keras.Model(as_inputs(inputs), structure, name=graph.name)
    model.output_names = graph.output_names
    return model


def _make_layer(step: Step) -> Layer:
    if step.within is not None:
        return build_model(step.within)
    if isinstance(step.layer, tf.keras.layers.Lambda) or not step.layer.inbound_nodes:
        return step.layer
    layer = copy_layer(step.layer)
    layer._name = step.name
    return layer


def copy_layer(layer: Layer) -> Layer:
    """A new layer of the same configuration, without the weights.

    Raises:
        ValueError: its configuration does not make one.
    """
    try:
        return type(layer).from_config(layer.get_config())
    except (NotImplementedError, TypeError) as error:
        raise ValueError(
            f"`model` must have layers that can be made from their configuration; `{layer.name}`, "
            f"{type(layer).__name__}, cannot: {error}"
        ) from error


def flatten(graph: Graph) -> Graph:
    """The same graph with the steps of the models within in the place of those models.

    Where several layers have one name, each is called by its path, such as "inner/conv".
    """
    steps: list[Step] = []
    outputs = _inline(graph, graph.inputs, "", steps)
    names = {id(step.layer): step.layer.name for step in steps}
    counts = Counter([*graph.input_names, *names.values()])
    for step in steps:
        if counts[step.layer.name] == 1:
            step.name = step.layer.name
    return replace(graph, steps=steps, outputs=outputs)


def _inline(graph: Graph, inputs: list[Value], prefix: str, steps: list[Step]) -> list[Value]:
    """Adds the steps of a graph called on some values, and gives the values that come out."""
    values = dict(zip(graph.inputs, inputs, strict=True))
    for step in graph.steps:
        args, kwargs = step.map_arguments(values.__getitem__)
        if step.within is not None:
            given = [values[value] for value in step.inputs]
            found = _inline(step.within, given, f"{prefix}{step.name}/", steps)
        else:
            outputs = tf.nest.map_structure(
                lambda value: Value(value.shape, value.dtype), step.outputs
            )
            found = tf.nest.flatten(outputs)
            name = f"{prefix}{step.name}"
            steps.append(Step(step.layer, args, kwargs, outputs, weights=step.weights, name=name))
        values |= zip(step.values, found, strict=True)
    return [values[value] for value in graph.outputs]


@preserve_quantized_scope()
def flatten_model(model: tf.keras.Model) -> tf.keras.Model:
    """A copy of a model in which the layers of the models within are its own.

    Raises:
        ValueError: see `read_graph` and `build_model`.
    """
    return build_model(flatten(read_graph(model)))
