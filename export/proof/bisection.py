"""The first layer at which a converted file leaves the model, if there is one.

A value that lies within rounding of 0 may have one sign in Keras and the other in the engine, and
all behind it differs, although nothing is wrong. So the model is taken apart at marks: the tensors
in front of its convolutions and dense layers, and those that several layers read. The part of the
model up to a mark is converted by itself, and the file's numbers there are compared with what
Keras makes of the *file's* numbers at the marks before. A step that is right cannot be blamed for a
sign that turned before it. Where one is wrong, the layers between the marks are looked at in the
same way, one after the other.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from export.keras_graph.binary_layers import has_kernel
from export.keras_graph.clone import is_graph, nodes
from export.keras_graph.inputs_outputs import Inputs, as_inputs, as_list, first
from export.proof.output_comparison import ROUNDING, SHARE_WITHIN, share_within
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["first_wrong_layer", "marks"]

# More would show nothing new: a wrong layer is wrong on every image.
IMAGES = 16


def _maker(tensor):
    """The call of a layer that gives a tensor."""
    history = tensor._keras_history
    return history.layer._inbound_nodes[history.node_index]


def _needed(inputs: list, *outputs) -> list:
    """Those of some tensors, in their order, that others are made of or are themselves."""
    among = {id(one): one for one in inputs}
    found, seen = {id(one): one for one in outputs if id(one) in among}, set()
    left = [one for one in outputs if id(one) not in among]
    while left:
        for *_, one in _maker(left.pop()).iterate_inbound():
            if id(one) in among:
                found[id(one)] = one
            elif id(one) not in seen:
                seen.add(id(one))
                left.append(one)
    return [one for key, one in among.items() if key in found]


def _outputs(node) -> list:
    return tf.nest.flatten(node.outputs)


def _readers(model: tf.keras.Model) -> dict[int, list]:
    """The layers that read each tensor of a model, by its `id`; None is the model's end."""
    found = {}
    for node in nodes(model):
        for *_, tensor in node.iterate_inbound():
            found.setdefault(id(tensor), []).append(node.layer)
    for tensor in model.outputs:
        found.setdefault(id(tensor), []).append(None)
    return found


def marks(model: tf.keras.Model) -> list[tuple[list, bool]]:
    """Where a functional model is taken apart, from front to back.

    Returns:
        The calls of layers up to each mark, which the last of them gives, and whether several
        layers read it: then the converter fuses it with none, and one more reader changes nothing.
    """
    readers = _readers(model)
    found, part = [], []
    for node in nodes(model):
        if node.is_input:
            continue
        part.append(node)
        read_by = [one for tensor in _outputs(node) for one in readers.get(id(tensor), [])]
        shared = len(read_by) > 1
        if len(_outputs(node)) == 1 and (
            shared or any(one is None or has_kernel(one) for one in read_by)
        ):
            found.append((part, shared))
            part = []
    return found


class _Parts:
    """The numbers at tensors in a model, as the files of its parts give them."""

    def __init__(self, model, images, run, tolerance, groups):
        self.inputs = model.inputs
        self.run = run
        self.tolerance = tolerance
        self.groups = groups
        arrays = as_list(images)
        self.values = {id(one): array for one, array in zip(self.inputs, arrays, strict=True)}
        # What no fusion crosses, so that a part may begin there.
        self.beginnings = {id(one) for one in self.inputs}

    def read(self, start: list, tensors: list) -> None:
        """Finds the numbers at some tensors by the file of the part from others to them."""
        start = _needed(start, *tensors)
        part = tf.keras.Model(as_inputs(start), tensors)
        found = self.run(part, as_inputs([self.values[id(one)] for one in start]))
        self.values |= {id(one): value for one, value in zip(tensors, found, strict=True)}

    def before(self, part: list) -> list:
        """The tensors that the calls of a part read and do not make."""
        made = {id(tensor) for node in part for tensor in _outputs(node)}
        read = {id(one): one for node in part for *_, one in node.iterate_inbound()}
        return [one for key, one in read.items() if key not in made]

    def keras(self, inputs: list, output) -> np.ndarray:
        """What Keras makes of the file's numbers at some tensors."""
        if id(output) in {id(one) for one in inputs}:
            return self.values[id(output)]
        inputs = _needed(inputs, output)
        values = [tf.constant(self.values[id(one)]) for one in inputs]
        return tf.keras.Model(inputs, output)(values, training=False).numpy()

    def right(self, inputs: list, output) -> bool:
        """Whether the file leads from some tensors to another as Keras does."""
        for one in inputs:
            if id(one) not in self.values:
                self.read(self.inputs, [one])
        if id(output) not in self.values:
            local = len(inputs) == 1 and id(inputs[0]) in self.beginnings
            self.read(inputs if local else self.inputs, [output])
        got, expected = self.values[id(output)], self.keras(inputs, output)
        allowed = self.tolerance * np.abs(expected).max(initial=0)
        if got.shape == expected.shape and all(
            share_within(got[group], expected[group], allowed) >= SHARE_WITHIN
            for group in self.groups
        ):
            return True
        # What is left where numbers cancel is their rounding. A sum with a kernel is not spared.
        maker = _maker(output)
        if has_kernel(maker.layer) or got.shape != expected.shape:
            return False
        read = [self.keras(inputs, one) for *_, one in maker.iterate_inbound()]
        largest = max(float(np.abs(one).max(initial=0)) for one in read)
        return bool(np.abs(got - expected).max(initial=0) <= ROUNDING * largest)

    def alike(self, output) -> bool:
        """Whether all images have the same numbers at a tensor."""
        values = self.values[id(output)]
        return len(values) > 1 and bool((values == values[:1]).all())

    def wrong_layer(self, part: list) -> str | None:
        """The name of the first layer in a part whose own step is wrong."""
        for node in part:
            if not all(self.right(self.before([node]), one) for one in _outputs(node)):
                return node.layer.name
        return None


@preserve_quantized_scope()
def first_wrong_layer(
    model: tf.keras.Model,
    images: Inputs,
    run: Callable[[tf.keras.Model, Inputs], list[np.ndarray]],
    tolerance: float,
    outputs: Inputs | None = None,
    groups: Sequence[slice] | None = None,
) -> str | None:
    """Names the first layer that a converted model gets wrong.

    Args:
        model: functional or sequential.
        images: what it takes, an array or a list of one for each input; the first 16 rows are used
            if there are no groups.
        run: converts a part of the model and runs the file: from the part and what it takes, an
            array or a list, to a list of its outputs.
        tolerance: in parts of the largest number of a tensor.
        outputs: what the whole file gives for the images, if it was run already: an array, or a
            list of one for each output.
        groups: of images, if a step has to be right on most of each, not only on most of all.

    Returns:
        Its name; None where every step is right, so that what differs at the end are signs of
        values within rounding of 0.

    Raises:
        ValueError: the model is no graph of layers, or a graph of one, and cannot be taken apart.
    """
    if not is_graph(model):
        raise ValueError("`model` must be a graph of layers to be taken apart, got a subclass.")
    if sum(not node.is_input for node in nodes(model)) < 2:
        raise ValueError("`model` must have two layers or more to be taken apart, got one.")
    used = IMAGES if groups is None else len(as_list(images)[0])
    parts = _Parts(model, first(images, used), run, tolerance, groups or [slice(used)])
    if outputs is not None:
        for tensor, array in zip(model.outputs, as_list(outputs), strict=True):
            parts.values[id(tensor)] = array[:used]
    found = marks(model)
    ends = [_outputs(part[-1])[0] for part, several in found if several]
    shared = [end for end in ends if id(end) not in parts.values]
    if shared:
        parts.read(model.inputs, shared)
        parts.beginnings |= {id(one) for one in shared}
    readers = _readers(model)
    for part, _ in found:
        within = [node.layer for node in part]
        ends = [
            tensor
            for node in part
            for tensor in _outputs(node)
            if any(one not in within for one in readers.get(id(tensor), []))
        ]
        right = all(parts.right(parts.before(part), end) for end in ends)
        # What all images have alike hides what led to it.
        if not right or all(parts.alike(end) for end in ends):
            wrong = parts.wrong_layer(part)
            if wrong is not None:
                return wrong
    return None
