"""The inputs and outputs of a network: one tensor or several, by name and in their order.

What goes into a network with one input is an array, into one with several a list of arrays in the
order of `model.inputs`. What comes out is listed in the order of `tf.nest.flatten(model.output)`,
however the network nests it.
"""

import itertools
import re

import numpy as np
import tensorflow as tf
from tensorflow.python.util import nest

from recu_tf.image_input import find_image_input

__all__ = [
    "Inputs",
    "as_inputs",
    "as_list",
    "draw_inputs",
    "keep_names",
    "list_input_names",
    "list_output_names",
    "predict",
    "take_first",
]

Inputs = np.ndarray | list[np.ndarray]

LARGEST = 2**7  # that int8 does not hold


def as_list(values: Inputs) -> list[np.ndarray]:
    """Arrays as a list, whether they are several or one alone."""
    return list(values) if isinstance(values, list | tuple) else [values]


def as_inputs(values: list) -> Inputs:
    """What a network takes: the array of a list of one, or the list."""
    return values[0] if len(values) == 1 else list(values)


def take_first(values: Inputs, count: int) -> Inputs:
    """The first rows of each array."""
    return as_inputs([array[:count] for array in as_list(values)])


def predict(model: tf.keras.Model, values: Inputs) -> list[np.ndarray]:
    """All that a model gives for some inputs at once."""
    return [tensor.numpy() for tensor in tf.nest.flatten(model(values, training=False))]


def list_input_names(model: tf.keras.Model) -> list[str]:
    """What to call the inputs of a model in a file: as the model does."""
    return _make_distinct(model.input_names)


def list_output_names(model: tf.keras.Model) -> list[str]:
    """What to call the outputs of a model in a file.

    Where the model gives a dictionary, the keys, else the names of the layers that give them.
    """
    if not _has_keys(model.output):
        return _make_distinct(model.output_names)
    paths = nest.flatten_with_joined_string_paths(model.output, separator=".")
    return _make_distinct([path for path, _ in paths])


def keep_names(copy: tf.keras.Model, model: tf.keras.Model) -> tf.keras.Model:
    """Calls the outputs of a changed copy as the model calls its own, and gives the copy."""
    copy.output_names = list_output_names(model)
    return copy


def _has_keys(structure: object) -> bool:
    if isinstance(structure, list | tuple):
        return any(map(_has_keys, structure))
    return isinstance(structure, dict)


def _make_distinct(names: list[str]) -> list[str]:
    """Names that a graph may have, each once."""
    found = []
    for name in (re.sub(r"[^\w.]", "_", name) for name in names):
        choices = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        found.append(next(choice for choice in choices if choice not in found))
    return found


def draw_inputs(
    model: tf.keras.Model, count: int, *, seed: int = 0, pixels: bool = False
) -> Inputs:
    """Random numbers for every input of a model.

    Args:
        model: with inputs of fixed sizes.
        count: rows of each.
        seed: of the numbers.
        pixels: whether its images are pixels from 0 to 255, and not normally distributed.

    Returns:
        For each input (count, ...), a list of several in their order: normally distributed float32
        for real numbers; for whole ones, of their type, pixels where that is uint8, else those that
        every `Embedding` of the model knows, or 0 and 1 without one.
    """
    rng, image = np.random.default_rng(seed), find_image_input(model)
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.Embedding)]
    known = min((layer.input_dim for layer in layers), default=2)

    def draw(tensor, are_pixels: bool) -> np.ndarray:
        shape, dtype = tuple(tensor.shape[1:]), tensor.dtype
        array = np.empty((count, *shape), np.float32 if dtype.is_floating else dtype.as_numpy_dtype)
        # One row after the other: all of them in float64 take three times the memory.
        for row in range(count):
            if are_pixels or dtype == tf.uint8:
                array[row] = rng.integers(0, 256, shape)
            elif dtype.is_floating:
                array[row] = rng.normal(size=shape)
            else:
                array[row] = rng.integers(0, min(known, LARGEST), shape)
        return array

    return as_inputs(
        [draw(tensor, pixels and number == image) for number, tensor in enumerate(model.inputs)]
    )
