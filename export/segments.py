"""The first layer at which a converted file leaves the model, if there is one.

A value that lies within rounding of 0 may have one sign in Keras and the other in the engine, and
all behind it differs, although nothing is wrong. So the model is taken apart. The part that leads
to a layer is converted by itself, and what Keras makes of the *file's* numbers in front of the
layer is compared with the file's numbers behind it. A layer whose own step is right cannot be
blamed for a sign that turned before it. First the tensors that all paths go through are looked at,
then, in front of the first of these that is wrong, every layer.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from export.rewriting.graph import consumers, is_graph, nodes

__all__ = ["first_wrong_layer", "sections", "share_within"]

# More would show nothing new: a wrong layer is wrong on every image.
IMAGES = 16
# A step that may turn signs of its own is right on most images all the same.
SHARE_WITHIN = 0.75


def share_within(got: np.ndarray, expected: np.ndarray, tolerance: float) -> float:
    """The share of images whose every number lies within a tolerance of what is expected.

    Args:
        got: (images, ...); what is not finite is not within.
        expected: of the same shape.
        tolerance: in parts of the largest expected number.
    """
    if got.shape != expected.shape:
        return 0.0
    allowed = tolerance * np.abs(expected).max(initial=0)
    with np.errstate(invalid="ignore"):
        within = np.abs(got - expected) <= allowed
    return float(within.reshape(len(within), -1).all(axis=1).mean())


def sections(model: tf.keras.Model) -> list[list]:
    """The calls of layers in a functional model, from one tensor to the next that all paths cross.

    Returns:
        Lists of nodes of Keras; the last node of each gives that tensor.
    """
    order = [node for node in nodes(model) if not node.is_input]
    last_read = {id(tensor): len(order) for tensor in model.outputs}
    for number, node in enumerate(order):
        for *_, tensor in node.iterate_inbound():
            last_read[id(tensor)] = max(number, last_read.get(id(tensor), 0))
    alive = {id(tensor) for tensor in model.inputs}
    found = [[]]
    for number, node in enumerate(order):
        found[-1].append(node)
        outputs = {id(tensor) for tensor in tf.nest.flatten(node.outputs)}
        alive = {one for one in alive | outputs if last_read.get(one, 0) > number}
        if alive == outputs and len(outputs) == 1:
            found.append([])
    return found if found[-1] else found[:-1]


class _Parts:
    """The files of the parts of a model, each from its images to tensors in it."""

    def __init__(self, model, images, run, tolerance):
        self.model = model
        self.images = images
        self.run = run
        self.tolerance = tolerance
        self.values = {id(model.inputs[0]): images}

    def read(self, tensors: list) -> None:
        """Finds what the file of the part up to some tensors gives for the images."""
        part = tf.keras.Model(self.model.inputs, tensors)
        for tensor, value in zip(tensors, self.run(part, self.images), strict=True):
            self.values[id(tensor)] = value

    def value(self, tensor) -> np.ndarray:
        """What the file of the part up to a tensor gives for the images."""
        if id(tensor) not in self.values:
            self.read([tensor])
        return self.values[id(tensor)]

    def right(self, inputs: list, output) -> bool:
        """Whether the file leads from some tensors to another as Keras does."""
        step = tf.keras.Model(inputs, output)
        expected = step([tf.constant(self.value(one)) for one in inputs], training=False).numpy()
        return share_within(self.value(output), expected, self.tolerance) >= SHARE_WITHIN

    def wrong_step(self, section: list) -> str | None:
        """The name of the first layer in a section whose own step is wrong."""
        for node in section:
            inputs = list({id(one): one for *_, one in node.iterate_inbound()}.values())
            if not all(self.right(inputs, one) for one in tf.nest.flatten(node.outputs)):
                return node.layer.name
        return None


def first_wrong_layer(
    model: tf.keras.Model,
    images: np.ndarray,
    run: Callable[[tf.keras.Model, np.ndarray], list[np.ndarray]],
    tolerance: float,
) -> str | None:
    """Names the first layer that a converted model gets wrong.

    Args:
        model: functional or sequential, with one input and one output.
        images: what it takes; the first 16 are used.
        run: converts a part of the model and runs the file: from the part and images to outputs,
            one or more.
        tolerance: in parts of the largest number of a tensor.

    Returns:
        Its name; None where every step is right, so that what differs at the end are signs of
        values within rounding of 0.

    Raises:
        ValueError: the model is no graph of layers and cannot be taken apart.
    """
    if not is_graph(model):
        raise ValueError("`model` must be a graph of layers to be taken apart, got a subclass.")
    parts = _Parts(model, images[:IMAGES], run, tolerance)
    ends = [tf.nest.flatten(section[-1].outputs)[0] for section in sections(model)]
    # What several read already is not fused with what reads it: one more reader changes nothing,
    # and all of these can be had of one file.
    readers = consumers(model)
    shared = [end for end in ends if len(readers[end._keras_history.layer.name]) > 1]
    if shared:
        parts.read(shared)
    start = model.inputs[0]
    for section, end in zip(sections(model), ends, strict=True):
        if not parts.right([start], end):
            wrong = parts.wrong_step(section)
            if wrong is not None:
                return wrong
        start = end
    return None
