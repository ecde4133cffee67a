"""Who reads what in a functional model, and copies of one with some of its layers replaced."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import keep_names
from recu_tf.functional import is_graph, nodes

__all__ = ["Changes", "calls", "consumers", "is_graph", "nodes", "planned", "producers", "rebuilt"]

Layer = tf.keras.layers.Layer


@dataclass
class Changes:
    """What a rewriting step wants changed in one functional model.

    Attributes:
        layers: what takes the place of a layer, by the name of that layer. Each takes and gives
            tensors as the old one does.
        weights: of the new layers, by the names of the old ones.
    """

    layers: dict[str, Layer] = field(default_factory=dict)
    weights: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def replace(self, old: Layer, new: Layer, weights: Iterable[np.ndarray]) -> None:
        """Puts a layer with its weights in the place of another."""
        self.layers[old.name] = new
        self.weights[old.name] = list(weights)


Plan = dict[int, Changes]


def calls(model: tf.keras.Model) -> dict[str, int]:
    """How often each layer is called in a model, by name; a shared one more than once."""
    return Counter(node.layer.name for node in nodes(model))


def consumers(model: tf.keras.Model) -> dict[str, list[Layer | None]]:
    """The layers that read what a layer gives, by its name, in any of its calls.

    None among them stands for the end of the model: its output is read by others.
    """
    # A sequential model does not count its input among its layers.
    readers = defaultdict(list)
    for node in nodes(model):
        for inbound, *_ in node.iterate_inbound():
            readers[inbound.name].append(node.layer)
    for tensor in tf.nest.flatten(model.outputs):
        readers[tensor._keras_history.layer.name].append(None)
    return readers


def producers(model: tf.keras.Model) -> dict[str, list[Layer]]:
    """The layers that a layer reads from, by its name, in any of its calls."""
    return {
        layer.name: [
            inbound
            for node in nodes(model)
            if node.layer is layer
            for inbound, *_ in node.iterate_inbound()
        ]
        for layer in model.layers
    }


def planned(model: tf.keras.Model, step: Callable[[tf.keras.Model], Changes]) -> Plan:
    """What a step changes in a functional model and in those within, by the `id` of each."""
    plan = {id(model): step(model)}
    for layer in model.layers:
        if isinstance(layer, tf.keras.Model) and is_graph(layer):
            plan |= planned(layer, step)
    return plan


def rebuilt(model: tf.keras.Model, plan: Plan) -> tf.keras.Model:
    """A copy of a functional model, and of those within, changed as planned.

    Args:
        model: functional or sequential; it stays as it is.
        plan: of `planned`.

    Returns:
        The copy, with the weights of the model where the plan does not give others. Inputs of real
        numbers are float32.

    Raises:
        NotImplementedError, TypeError, ValueError: a layer cannot be copied, as its `get_config`
            does not tell how it was made.
    """
    changes = plan[id(model)]
    made = []

    def clone(layer):
        if layer.name in changes.layers:
            new = changes.layers[layer.name]
            made.append((new, changes.weights[layer.name]))
        elif id(layer) in plan:
            new = rebuilt(layer, plan)
        elif isinstance(layer, tf.keras.layers.Lambda):
            # Its code cannot be copied. It has no weights, so that it may as well be shared.
            new = layer
        else:
            new = type(layer).from_config(layer.get_config())
            made.append((new, layer.get_weights()))
        return new

    copy = tf.keras.models.clone_model(model, _other_inputs(model), clone_function=clone)
    for layer, weights in made:
        layer.set_weights(weights)
    return keep_names(copy, model)


def _other_inputs(model: tf.keras.Model) -> list | None:
    """Inputs of a copy; None where Keras may copy those of the model, which it does as they are."""
    if not any(_is_other_float(one.dtype) for one in model.inputs):
        return None
    return [
        tf.keras.Input(
            one.shape[1:],
            one.shape[0],
            name=one._keras_history.layer.name,
            dtype="float32" if _is_other_float(one.dtype) else one.dtype,
        )
        for one in model.inputs
    ]


def _is_other_float(dtype: tf.DType) -> bool:
    return dtype.is_floating and dtype != tf.float32
