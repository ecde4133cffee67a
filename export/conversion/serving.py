"""What goes around a network in the file: pixels as a camera gives them in, probabilities out."""

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import as_inputs, keep_names
from recu_tf.data import Normalization
from recu_tf.image_input import find_image_inputs

__all__ = ["add_pixel_input", "add_softmax", "require_image_input"]


def require_image_input(model: tf.keras.Model) -> int:
    """The number of the one input that takes images, see `recu_tf.image_input`.

    Raises:
        ValueError: no input may take them, or several.
    """
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    numbers = find_image_inputs(shapes, [tensor.dtype.name for tensor in model.inputs])
    if len(numbers) != 1:
        raise ValueError(
            "`input` uint8 is for networks with one input (batch, height, width, 1 or 3), got "
            f"{len(numbers)} among {', '.join(map(str, shapes))}."
        )
    return numbers[0]


def add_pixel_input(model: tf.keras.Model, normalization: Normalization) -> tf.keras.Model:
    """A model that takes pixels, uint8 from 0 to 255, and normalises them itself.

    Args:
        model: from normalised images (batch, height, width, channels), and other inputs.
        normalization: of these.

    Returns:
        A model from uint8 images of the same shape, and the other inputs, to the same outputs.

    Raises:
        ValueError: the images have another number of channels than the normalisation, or it is
            not clear which input takes them.
    """
    mean, std = np.array(normalization.mean), np.array(normalization.std)
    place = require_image_input(model)
    inputs = model.inputs[place]
    if inputs.shape[-1] != len(mean):
        raise ValueError(
            f"`normalization` must be of {inputs.shape[-1]} channels, as the images are, got "
            f"{len(mean)}."
        )
    name = "pixels" if len(model.inputs) == 1 else model.input_names[place]
    pixels = tf.keras.Input(inputs.shape[1:], inputs.shape[0], dtype=tf.uint8, name=name)
    normalise = tf.keras.layers.Rescaling(
        (1 / (255 * std)).tolist(), (-mean / std).tolist(), name="normalise"
    )
    taken = [
        pixels
        if tensor is inputs
        else tf.keras.Input(tensor.shape[1:], tensor.shape[0], dtype=tensor.dtype, name=its_name)
        for tensor, its_name in zip(model.inputs, model.input_names, strict=True)
    ]
    outputs = model(
        as_inputs([normalise(tensor) if tensor is pixels else tensor for tensor in taken])
    )
    return keep_names(tf.keras.Model(as_inputs(taken), outputs, name="from_pixels"), model)


def add_softmax(model: tf.keras.Model) -> tf.keras.Model:
    """A model that gives the softmax of what another gives.

    Args:
        model: from images to logits (batch, classes).

    Raises:
        ValueError: it has several outputs, or one that is no logits by its shape.
    """
    if len(model.outputs) != 1:
        raise ValueError(
            f"`softmax` is of the logits of one output, got a model with {len(model.outputs)}."
        )
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2 or shape[1] in (None, 1):
        raise ValueError(
            f"`softmax` is of logits (batch, classes), got a model that gives {shape}."
        )
    softmax = tf.keras.layers.Softmax(name="softmax")
    return tf.keras.Model(model.inputs, softmax(model.outputs[0]), name="probabilities")
