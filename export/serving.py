"""What goes around a network in the file: pixels as a camera gives them in, probabilities out."""

import numpy as np
import tensorflow as tf

from recu_tf.data import Normalization

__all__ = ["pixels_of", "with_pixel_input", "with_softmax"]


def with_pixel_input(model: tf.keras.Model, normalization: Normalization) -> tf.keras.Model:
    """A model that takes pixels, uint8 from 0 to 255, and normalises them itself.

    Args:
        model: from normalised images (batch, height, width, channels).
        normalization: of these.

    Returns:
        A model from uint8 images of the same shape to the same outputs.

    Raises:
        ValueError: the images have another number of channels than the normalisation.
    """
    mean, std = np.array(normalization.mean), np.array(normalization.std)
    inputs = model.inputs[0]
    if inputs.shape[-1] != len(mean):
        raise ValueError(
            f"`normalization` must be of {inputs.shape[-1]} channels, as the images are, got "
            f"{len(mean)}."
        )
    pixels = tf.keras.Input(inputs.shape[1:], inputs.shape[0], dtype=tf.uint8, name="pixels")
    normalise = tf.keras.layers.Rescaling(
        (1 / (255 * std)).tolist(), (-mean / std).tolist(), name="normalise"
    )
    return tf.keras.Model(pixels, model(normalise(pixels)), name="from_pixels")


def with_softmax(model: tf.keras.Model) -> tf.keras.Model:
    """A model that gives the softmax of what another gives.

    Args:
        model: from images to logits (batch, classes).

    Raises:
        ValueError: its outputs are no logits by their shape.
    """
    if len(model.output_shape) != 2 or model.output_shape[1] in (None, 1):
        raise ValueError(
            f"`softmax` is of logits (batch, classes), got a model that gives {model.output_shape}."
        )
    softmax = tf.keras.layers.Softmax(name="softmax")
    return tf.keras.Model(model.inputs, softmax(model.outputs[0]), name="probabilities")


def pixels_of(images: np.ndarray, normalization: Normalization) -> np.ndarray:
    """The pixels that normalised images were made of.

    Args:
        images: float32 (count, height, width, channels).
        normalization: with which they were normalised.

    Returns:
        uint8 of the same shape.
    """
    scaled = 255 * (images * np.array(normalization.std) + np.array(normalization.mean))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
