"""The first layer at which a converted file differs from the model, if there is one.

A value within rounding of 0 may have one sign in Keras and the other in the engine. Then every
layer behind it differs, although nothing is wrong. So the model is cut into segments. The cut
points are the values before its convolutions and dense layers, and those that several layers read.
The model up to a cut point is converted by itself, and the file's values there are compared with
what Keras computes from the *file's* values at the cut points before. So a correct segment is not
blamed for a sign that flipped before it. In a wrong segment, the layers are compared in the same
way, one by one.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from export.keras_graph.binary_layers import has_kernel
from export.keras_graph.differences import compute_share_within
from export.keras_graph.graph import Graph, Step, Value, is_graph, read_graph
from export.keras_graph.inputs_outputs import Inputs, as_inputs, as_list, take_first
from export.proof.output_comparison import ROUNDING, SHARE_WITHIN
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["IMAGES", "cut", "find_first_wrong_layer"]

# More would show nothing new: a wrong layer is wrong on every image.
IMAGES = 16

Run = Callable[[tf.keras.Model, Inputs], list[np.ndarray]]


def cut(graph: Graph) -> list[tuple[list[Step], bool]]:
    """Cuts a graph into segments, from front to back.

    Returns:
        The steps of each segment, the last of which computes the value at the cut point, and
        whether several steps read that value. If so, the converter does not fuse it with a reader,
        and an additional reader changes nothing.
    """
    found: list[tuple[list[Step], bool]] = []
    segment: list[Step] = []
    for step in graph.steps:
        segment.append(step)
        readers = [reader for value in step.values for reader in graph.find_readers(value)]
        is_shared = len(readers) > 1
        if len(step.values) == 1 and (
            is_shared or any(reader is None or has_kernel(reader.layer) for reader in readers)
        ):
            found.append((segment, is_shared))
            segment = []
    return found


class _Segments:
    """The values of a graph, as the converted files of its segments compute them."""

    def __init__(
        self,
        graph: Graph,
        images: Inputs,
        run: Run,
        tolerance: float,
        groups: Sequence[slice],
        parts: dict[tuple, tf.keras.Model],
    ):
        self.graph = graph
        self.parts = parts
        self.run = run
        self.tolerance = tolerance
        self.groups = groups
        self.producers = {value: step for step in graph.steps for value in step.values}
        self.numbers = dict(zip(graph.inputs, as_list(images), strict=True))
        # Values that the converter does not fuse across, so that a file can begin there.
        self.beginnings = set(graph.inputs)

    def compute(self, start: list[Value], ends: list[Value]) -> None:
        """Computes the values `ends` with a file of the layers from `start` to them."""
        start = self.find_needed(start, ends)
        found = self.run(
            self.build(start, ends), as_inputs([self.numbers[value] for value in start])
        )
        self.numbers |= zip(ends, found, strict=True)

    def build(self, start: list[Value], ends: list[Value]) -> tf.keras.Model:
        """A model of the layers from `start` to `ends`, built once."""
        tensors = [[value.tensor for value in values] for values in (start, ends)]
        # Symbolic tensors have no hash. They live as long as their model.
        key = tuple(tuple(map(id, group)) for group in tensors)
        if key not in self.parts:
            self.parts[key] = tf.keras.Model(as_inputs(tensors[0]), tensors[1])
        return self.parts[key]

    def find_needed(self, start: list[Value], ends: list[Value]) -> list[Value]:
        """The values of `start`, in their order, from which `ends` are computed."""
        found, seen, left = set(), set(), list(ends)
        while left:
            value = left.pop()
            if value in start:
                found.add(value)
            elif value not in seen:
                seen.add(value)
                left += self.producers[value].inputs
        return [value for value in start if value in found]

    def compute_in_keras(self, start: list[Value], end: Value) -> np.ndarray:
        """The value `end` as Keras computes it from the file's values at `start`."""
        if end in start:
            return self.numbers[end]
        start = self.find_needed(start, [end])
        numbers = [tf.constant(self.numbers[value]) for value in start]
        return self.build(start, [end])(as_inputs(numbers), training=False).numpy()

    def is_right(self, start: list[Value], end: Value) -> bool:
        """Whether the file computes `end` from `start` as Keras does."""
        for value in start:
            if value not in self.numbers:
                self.compute(self.graph.inputs, [value])
        if end not in self.numbers:
            is_local = len(start) == 1 and start[0] in self.beginnings
            self.compute(start if is_local else self.graph.inputs, [end])
        got, expected = self.numbers[end], self.compute_in_keras(start, end)
        allowed = self.tolerance * np.abs(expected).max(initial=0)
        if got.shape == expected.shape and all(
            compute_share_within(got[group], expected[group], allowed) >= SHARE_WITHIN
            for group in self.groups
        ):
            return True
        # Cancellation leaves rounding errors. Layers with a kernel get no such allowance.
        producer = self.producers[end]
        if has_kernel(producer.layer) or got.shape != expected.shape:
            return False
        read = [self.compute_in_keras(start, value) for value in producer.inputs]
        largest = max(float(np.abs(numbers).max(initial=0)) for numbers in read)
        return bool(np.abs(got - expected).max(initial=0) <= ROUNDING * largest)

    def is_constant(self, value: Value) -> bool:
        """Whether a value is the same for all images, if there are several."""
        numbers = self.numbers[value]
        return len(numbers) > 1 and bool((numbers == numbers[:1]).all())

    def find_wrong_layer(self, segment: list[Step]) -> str | None:
        """The name of the first wrong layer in a segment; None if there is none."""
        for step in segment:
            if not all(self.is_right(_find_starts([step]), value) for value in step.values):
                return step.name
        return None


def _find_starts(segment: list[Step]) -> list[Value]:
    """The values that the steps of a segment read but do not compute."""
    given = {value for step in segment for value in step.values}
    read = dict.fromkeys(value for step in segment for value in step.inputs)
    return [value for value in read if value not in given]


def _find_ends(segment: list[Step], graph: Graph) -> list[Value]:
    """The values of a segment that are read outside it."""
    return [
        value
        for step in segment
        for value in step.values
        if any(reader not in segment for reader in graph.find_readers(value))
    ]


@preserve_quantized_scope()
def find_first_wrong_layer(
    model: tf.keras.Model,
    images: Inputs,
    run: Run,
    tolerance: float,
    *,
    outputs: Inputs | None = None,
    groups: Sequence[slice] | None = None,
    parts: dict[tuple, tf.keras.Model] | None = None,
) -> str | None:
    """Names the first layer that a converted model gets wrong.

    Args:
        model: functional or sequential.
        images: its input, an array or a list with an array for each input; without groups the first
            16 rows are used.
        run: converts a model of some of the layers and runs the file: takes the model and its input
            and returns a list of its outputs.
        tolerance: the allowed difference, as a share of the largest number of a value.
        outputs: the outputs of the whole file for the images, if it was run already: an array, or a
            list with an array for each output.
        groups: of images; a layer has to be right on most images of each group.
        parts: keeps the models that are given to `run`: a dictionary that several searches in the
            same model share, so that `run` can keep their files.

    Returns:
        Its name; None if every layer is right by itself, so that the outputs differ only by signs
        of values within rounding of 0.

    Raises:
        ValueError: the model is no graph of layers, or a graph of one, and cannot be taken apart.
    """
    if not is_graph(model):
        raise ValueError("`model` must be a graph of layers to be taken apart, got a subclass.")
    graph = read_graph(model)
    if len(graph.steps) < 2:
        raise ValueError("`model` must have two layers or more to be taken apart, got one.")
    used = IMAGES if groups is None else len(as_list(images)[0])
    segments = _Segments(
        graph,
        take_first(images, used),
        run,
        tolerance,
        groups or [slice(used)],
        {} if parts is None else parts,
    )
    if outputs is not None:
        for value, array in zip(graph.outputs, as_list(outputs), strict=True):
            segments.numbers[value] = array[:used]
    found = cut(graph)
    shared = [
        segment[-1].output
        for segment, is_shared in found
        if is_shared and segment[-1].output not in segments.numbers
    ]
    if shared:
        segments.compute(graph.inputs, shared)
        segments.beginnings |= set(shared)
    for segment, _ in found:
        ends = _find_ends(segment, graph)
        right = all(segments.is_right(_find_starts(segment), end) for end in ends)
        # A value that is the same for all images can hide a wrong layer before it.
        if not right or all(map(segments.is_constant, ends)):
            wrong = segments.find_wrong_layer(segment)
            if wrong is not None:
                return wrong
    return None
