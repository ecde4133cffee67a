"""Which numbers a network takes of the pixels of an image: as told, or as its first layers tell."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from recu_tf.data import Normalization
from recu_tf.functional import is_graph, nodes

__all__ = [
    "PIXELS",
    "begins_with_pixels",
    "check_normalization",
    "denormalize",
    "image_input",
    "leaves_pixels",
    "pixels_as_they_are",
    "scaled",
]

PIXELS = "pixels"
# Usual are 1 / 255 and 1 / 127.5, and 1 / 80 for the deviation of pixels.
LARGEST_PIXEL_SCALE = 0.1
SCALING = (tf.keras.layers.Rescaling, tf.keras.layers.Normalization)


def pixels_as_they_are(channels: int) -> Normalization:
    """The normalisation that leaves pixels what they are, 0 to 255, in so many channels."""
    return Normalization((0.0,) * channels, (1 / 255,) * channels)


def leaves_pixels(normalization: Normalization) -> bool:
    """Whether a normalisation leaves pixels what they are, 0 to 255."""
    return normalization == pixels_as_they_are(len(normalization.mean))


def scaled(
    channels: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
) -> Normalization:
    """The normalisation (pixel * scale - mean) / std, of pixels from 0 to 255.

    Args:
        channels: of the images.
        mean: of each channel, or one number for all; 0 if None.
        std: likewise; 1 if None.
        scale: 1 / 255 if None, so that mean and std are on a scale from 0 to 1. With 1 alone the
            pixels stay what they are.

    Raises:
        ValueError: there is another number of them, std or scale is not positive, or a number is
            not finite.
    """
    scale = 1 / 255 if scale is None else scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"`scale` must be a positive number, got {scale}.")
    means = _for_each(channels, "mean", (0.0,) if mean is None else mean)
    stds = _for_each(channels, "std", (1.0,) if std is None else std)
    unit = 255 * scale
    # 0.485 is to stay 0.485: 255 * (1 / 255) is 1.
    told = Normalization(tuple(m / unit for m in means), tuple(s / unit for s in stds))
    check_normalization(told, channels)
    return told


def _for_each(channels: int, name: str, values: Sequence[float]) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        raise ValueError(
            f"`{name}` must be one number, or one for each of {channels} channels, got "
            f"{len(values)}."
        )
    return tuple(map(float, values)) * (channels if len(values) == 1 else 1)


def check_normalization(normalization: Normalization, channels: int) -> None:
    """Refuses a normalisation of other images, or one that gives no numbers.

    Raises:
        ValueError: it is not of so many channels, a std is not positive, or a number not finite.
    """
    mean, std = (np.asarray(part, float) for part in (normalization.mean, normalization.std))
    if mean.shape != (channels,) or std.shape != (channels,):
        raise ValueError(
            f"`normalization` must have a mean and a std for each of {channels} channels, got "
            f"{normalization}."
        )
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise ValueError(
            f"`normalization` must have finite numbers, std above 0, got {normalization}."
        )


def denormalize(images: np.ndarray, normalization: Normalization) -> np.ndarray:
    """The pixels that images were before they were normalised.

    Args:
        images: float32 (count, height, width, channels).
        normalization: with which they were normalised.

    Returns:
        uint8 of the same shape.
    """
    scaled = 255 * (images * np.array(normalization.std) + np.array(normalization.mean))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def image_input(model: tf.keras.Model) -> int | None:
    """The number of the input that takes images; None where no input has their shape."""
    return next((at for at, one in enumerate(model.inputs) if one.shape.rank == 4), None)


def begins_with_pixels(model: tf.keras.Model, number: int = 0) -> bool:
    """Whether a model scales pixels from 0 to 255 itself, with a layer of Keras for it.

    That is a `Rescaling` or an adapted `Normalization` that divides by more than 10, with no layer
    that has weights between it and the input. Batch norms, and arithmetic without a layer, may
    stand for anything.

    Args:
        model: with known inputs.
        number: of the input.
    """
    layers, _ = _first_layers(model, [number])
    return any(_scales_pixels(layer) for layer in layers)


def _scales_pixels(layer: tf.keras.layers.Layer) -> bool:
    if isinstance(layer, tf.keras.layers.Rescaling):
        factors = layer.scale
    elif layer.invert or layer.variance is None:
        return False
    else:
        factors = 1 / np.sqrt(np.maximum(layer.variance, 1e-12))
    return bool(0 < np.min(np.abs(factors)) < LARGEST_PIXEL_SCALE)


def _first_layers(
    model: tf.keras.Model, numbers: Sequence[int]
) -> tuple[list[tf.keras.layers.Layer], list[int]]:
    """The first scaling layers behind some inputs, and the outputs that no such layer leads to.

    Nothing with weights stands between the inputs and either.
    """
    if not is_graph(model):
        # What reads what cannot be told.
        return [layer for layer in model.submodules if isinstance(layer, SCALING)], []
    reached = {id(model.inputs[number]) for number in numbers}
    found = []
    for node in nodes(model):
        read = list(_positions(node.keras_inputs, reached))
        if node.is_input or not read:
            continue
        layer, outputs = node.layer, tf.nest.flatten(node.outputs)
        if isinstance(layer, SCALING):
            found.append(layer)
        elif isinstance(layer, tf.keras.Model):
            inner, through = _first_layers(layer, read)
            found += inner
            reached |= {id(outputs[position]) for position in through}
        elif not layer.weights:
            reached |= set(map(id, outputs))
    return found, list(_positions(model.outputs, reached))


def _positions(tensors: Sequence[tf.Tensor], reached: set[int]) -> Iterator[int]:
    return (at for at, tensor in enumerate(tensors) if id(tensor) in reached)
