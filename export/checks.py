"""What a network must be to be exported, told before any work."""

import numpy as np
import tensorflow as tf

__all__ = ["check_input", "check_network", "check_outputs"]


def check_input(model: tf.keras.Model) -> None:
    """Checks that a model has one input of a fixed size.

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
    if len(model.inputs) != 1:
        raise ValueError(f"`model` must have one input, got {len(model.inputs)}.")
    shape = model.inputs[0].shape[1:]
    if None in shape:
        raise ValueError(f"`model` must have a fixed input size, got input shape {tuple(shape)}.")
    if 0 in shape:  # which crashes interpreters
        raise ValueError(f"`model` must take images of a pixel or more, got {tuple(shape)}.")


def check_network(model: tf.keras.Model) -> None:
    """Checks that a model leads from normalised images to one tensor, by finite numbers.

    Raises:
        ValueError: it has not one input of a fixed size and a real type, gives several tensors,
            or holds numbers that are not finite.
    """
    check_input(model)
    dtype = model.inputs[0].dtype
    if not dtype.is_floating:
        raise ValueError(
            f"`model` must take normalised images in float32, got an input in {dtype.name}; leave "
            "out the layer that scales pixels: `input` uint8 puts one in front of the model."
        )
    if isinstance(model.output, list | tuple | dict):
        raise ValueError(
            "`model` must give one tensor, got "
            f"{type(model.output).__name__} of {len(model.output)}; export "
            "`tf.keras.Model(model.inputs, ...)` of the one that is wanted."
        )
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


def check_outputs(model: tf.keras.Model, images: np.ndarray) -> np.ndarray:
    """Checks that a model gives finite numbers.

    Args:
        model: with one output.
        images: what it takes, a few.

    Returns:
        What it gives for them.

    Raises:
        ValueError: some are not finite, so that no file could be compared with it.
    """
    outputs = model(images, training=False).numpy()
    finite = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            "`model` must give finite numbers, but some are NaN or infinite for "
            f"{(~finite).sum()} of {len(images)} images, although its weights are finite."
        )
    return outputs
