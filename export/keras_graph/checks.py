"""Checks that a network can be exported, before any work."""

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import (
    Inputs,
    as_list,
    list_input_names,
    list_output_names,
    predict,
)

__all__ = ["check_input", "check_network", "check_outputs"]


# Whole numbers, such as those of words, that the engine takes besides images.
WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8")


def check_input(model: tf.keras.Model) -> None:
    """Checks that a model has inputs of fixed sizes.

    Raises:
        ValueError: it has not, or is no Keras model.
    """
    if not isinstance(model, tf.keras.Model):
        raise ValueError(f"`model` must be a Keras model, got {type(model).__name__}.")
    if not model.inputs:
        raise ValueError(
            "`model` must know the size of its images; begin it with tf.keras.Input(shape), or "
            "make it `tf.keras.Model(image, model(image))` of such an `image`."
        )
    for tensor, which in _list_named(model, "inputs"):
        if tensor.shape.rank is None:
            raise ValueError(f"`model` must have a fixed input size, got an unknown one{which}.")
        shape = tuple(tensor.shape[1:])
        if None in shape:
            raise ValueError(
                f"`model` must have a fixed input size, got input shape {shape}{which}."
            )
        if 0 in shape:  # which crashes interpreters
            raise ValueError(f"`model` must take images of a pixel or more, got {shape}{which}.")


def _list_named(model: tf.keras.Model, ends: str) -> list[tuple[object, str]]:
    """The inputs or outputs of a model, each with the words that name it among several."""
    tensors = getattr(model, ends)
    if len(tensors) == 1:
        return [(tensors[0], "")]
    names = list_input_names(model) if ends == "inputs" else list_output_names(model)
    return [(tensor, f" of `{name}`") for tensor, name in zip(tensors, names, strict=True)]


def check_network(model: tf.keras.Model) -> None:
    """Checks that a model takes normalised images, gives tensors, and holds finite numbers.

    It may take other inputs as well.

    Raises:
        ValueError: an input has no fixed size, or a type that the engine does not take there, an
            output has no known rank, or the model holds numbers that are not finite.
    """
    check_input(model)
    for tensor, which in _list_named(model, "inputs"):
        dtype = tensor.dtype
        if dtype.is_floating or (which and len(tensor.shape) != 4 and dtype.name in WHOLE):
            continue
        if which and len(tensor.shape) != 4:
            raise ValueError(
                "`model` must take real numbers, or whole ones as "
                f"{', '.join(WHOLE)}, got an input in {dtype.name}{which}."
            )
        raise ValueError(
            f"`model` must take normalised images in float32, got an input in {dtype.name}{which}; "
            "leave out the layer that scales pixels: `input` uint8 puts one in front of the model."
        )
    if not model.outputs:
        raise ValueError("`model` must give a tensor or more, got none.")
    for tensor, which in _list_named(model, "outputs"):
        if not tensor.shape.rank:
            raise ValueError(
                f"`model` must give tensors (batch, ...), got one of shape {tensor.shape}{which}."
            )
        if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
            raise ValueError(f"`model` must give numbers, got {tensor.dtype.name}{which}.")
    broken = [
        weight.name.split(":")[0]
        for weight in model.weights
        if weight.dtype.is_floating and not np.isfinite(weight.numpy()).all()
    ]
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise ValueError(
            "`model` must hold finite numbers, got others (NaN or infinite) in "
            f"{', '.join(broken[:5])}{more}."
        )


def check_outputs(model: tf.keras.Model, images: Inputs) -> list[np.ndarray]:
    """Checks that a model gives finite numbers, for each image its own.

    Args:
        model: the network.
        images: what it takes, a few rows.

    Returns:
        What it gives for them, a list of all outputs.

    Raises:
        ValueError: some are not finite, or not of an image each, so that no file could be compared
            with them.
    """
    count = len(as_list(images)[0])
    outputs = predict(model, images)
    for (_, which), numbers in zip(_list_named(model, "outputs"), outputs, strict=True):
        if len(numbers) != count:
            raise ValueError(
                "`model` must give tensors (batch, ...), but for a batch of "
                f"{count} it gives {numbers.shape}{which}."
            )
        finite = np.isfinite(numbers).reshape(count, -1).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"`model` must give finite numbers{which and f' as output{which}'}, but some are "
                f"NaN or infinite for {(~finite).sum()} of {count} images, although its weights "
                "are finite."
            )
    return outputs
