"""Adds layers around a network: an input of pixels as from a camera, an output of probabilities."""

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import as_inputs, keep_names
from recu_tf.data import Normalization
from recu_tf.image_input import find_image_inputs

__all__ = ["add_pixel_input", "add_softmax", "require_image_input"]


def require_image_input(model: tf.keras.Model) -> int:
    """Finds the number of the only input that can take images, see `recu_tf.image_input`.

    Raises:
        ValueError: no input can take images, or several can.
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
    """Makes a model that takes pixels, uint8 from 0 to 255, and normalises them itself.

    Args:
        model: from normalised images (batch, height, width, channels), and other inputs.
        normalization: of the images.

    Returns:
        A model from uint8 images of the same shape, and the other inputs, to the same outputs.

    Raises:
        ValueError: the images have another number of channels than the normalisation, or the input
            that takes them is not known.
    """
    mean, std = np.array(normalization.mean), np.array(normalization.std)
    place = require_image_input(model)
    inputs = model.inputs[place]
    if inputs.shape[-1] != len(mean):
        raise ValueError(
            f"`normalization` must have the images' {inputs.shape[-1]} channels, got {len(mean)}."
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
    """Adds a softmax behind the logits of a model.

    Args:
        model: from images to logits (batch, classes).

    Raises:
        ValueError: it has several outputs, or the shape of its output is not that of logits.
    """
    if len(model.outputs) != 1:
        raise ValueError(
            f"`softmax` needs a model with one output of logits, got {len(model.outputs)}."
        )
    shape = tuple(model.outputs[0].shape)
    if len(shape) != 2 or shape[1] in (None, 1):
        raise ValueError(
            f"`softmax` needs logits (batch, classes), got a model that gives {shape}."
        )
    softmax = tf.keras.layers.Softmax(name="softmax")
    return tf.keras.Model(model.inputs, softmax(model.outputs[0]), name="probabilities")
