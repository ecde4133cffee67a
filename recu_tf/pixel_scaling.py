"""How pixels become the numbers a network takes: given by the user, or by its first layers."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from recu_tf.data import Normalization
from recu_tf.functional import is_graph, nodes
from recu_tf.image_input import find_image_input

__all__ = [
    "PIXELS",
    "check_normalization",
    "denormalize",
    "find_pixel_scaling",
    "is_identity",
    "make_identity_normalization",
    "make_normalization",
    "scales_pixels",
]

PIXELS = "pixels"
# Common scales are 1 / 255 and 1 / 127.5, and 1 / 80 for the standard deviation of pixels.
LARGEST_PIXEL_SCALE = 0.1
SCALING_LAYERS = (tf.keras.layers.Rescaling, tf.keras.layers.Normalization)


def make_identity_normalization(channels: int) -> Normalization:
    """The normalisation that leaves pixels unchanged, from 0 to 255."""
    return Normalization((0.0,) * channels, (1 / 255,) * channels)


def is_identity(normalization: Normalization) -> bool:
    """Whether a normalisation leaves pixels unchanged, from 0 to 255."""
    return normalization == make_identity_normalization(len(normalization.mean))


def make_normalization(
    channels: int,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
) -> Normalization:
    """The normalisation (pixel * scale - mean) / std of pixels from 0 to 255.

    Args:
        channels: number of channels of the images.
        mean: a number for each channel, or a single number for all; None means 0.
        std: a number for each channel, or a single number for all; None means 1.
        scale: None means 1 / 255, so that mean and std are on a scale from 0 to 1. A scale of 1,
            without mean and std, leaves the pixels unchanged.

    Raises:
        ValueError: mean or std has another number of values, std or scale is not positive, or a
            number is not finite.
    """
    scale = 1 / 255 if scale is None else scale
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"`scale` must be a positive number, got {scale}.")
    means = _repeat_for_channels(channels, "mean", (0.0,) if mean is None else mean)
    stds = _repeat_for_channels(channels, "std", (1.0,) if std is None else std)
    unit = 255 * scale
    # With the default scale, 0.485 stays 0.485: 255 * (1 / 255) is exactly 1.
    normalization = Normalization(tuple(m / unit for m in means), tuple(s / unit for s in stds))
    check_normalization(normalization, channels)
    return normalization


def _repeat_for_channels(channels: int, name: str, values: Sequence[float]) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        raise ValueError(
            f"`{name}` must be one number, or one for each of {channels} channels, got "
            f"{len(values)} numbers."
        )
    return tuple(map(float, values)) * (channels if len(values) == 1 else 1)


def check_normalization(normalization: Normalization, channels: int) -> None:
    """Refuses a normalisation for another number of channels, or with impossible numbers.

    Raises:
        ValueError: the number of channels is another, a std is not positive, or a number is not
            finite.
    """
    mean, std = (np.asarray(values, float) for values in (normalization.mean, normalization.std))
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
    """The pixels that images had before they were normalised.

    Args:
        images: float32 (count, height, width, channels).
        normalization: the normalisation that was applied.

    Returns:
        uint8 of the same shape.
    """
    return np.clip(np.rint(normalization.invert(images)), 0, 255).astype(np.uint8)


def find_pixel_scaling(model: tf.keras.Model) -> Normalization | None:
    """The normalisation that leaves pixels unchanged, for a model that scales them itself.

    Args:
        model: with known inputs, see `scales_pixels`.

    Returns:
        The normalisation; None for a model that has no such layer or takes no images.
    """
    number = find_image_input(model) if getattr(model, "inputs", None) else None
    if number is None or not scales_pixels(model, number):
        return None
    return make_identity_normalization(model.inputs[number].shape[-1])


def scales_pixels(model: tf.keras.Model, number: int = 0) -> bool:
    """Whether a model scales pixels from 0 to 255 itself, with a Keras layer made for that.

    That is a `Rescaling` or an adapted `Normalization` that divides by more than 10, with no layer
    that has weights between it and the input. Batch norms, and arithmetic without a layer, are not
    taken as evidence.

    Args:
        model: a model with known inputs.
        number: number of the input.
    """
    layers, _ = _find_first_layers(model, [number])
    return any(_divides_pixels(layer) for layer in layers)


def _divides_pixels(layer: tf.keras.layers.Layer) -> bool:
    if isinstance(layer, tf.keras.layers.Rescaling):
        factors = layer.scale
    elif layer.invert or layer.variance is None:
        return False
    else:
        factors = 1 / np.sqrt(np.maximum(layer.variance, 1e-12))
    return bool(0 < np.min(np.abs(factors)) < LARGEST_PIXEL_SCALE)


def _find_first_layers(
    model: tf.keras.Model, numbers: Sequence[int]
) -> tuple[list[tf.keras.layers.Layer], list[int]]:
    """The first scaling layers after some inputs, and the outputs reached without such a layer.

    No layer with weights lies between the inputs and either.
    """
    if not is_graph(model):
        # It is unknown which layer reads which.
        return [layer for layer in model.submodules if isinstance(layer, SCALING_LAYERS)], []
    reached = {id(model.inputs[number]) for number in numbers}
    found = []
    for node in nodes(model):
        read = list(_find_positions(node.keras_inputs, reached))
        if node.is_input or not read:
            continue
        layer, outputs = node.layer, tf.nest.flatten(node.outputs)
        if isinstance(layer, SCALING_LAYERS):
            found.append(layer)
        elif isinstance(layer, tf.keras.Model):
            inner, through = _find_first_layers(layer, read)
            found += inner
            reached |= {id(outputs[position]) for position in through}
        elif not layer.weights:
            reached |= set(map(id, outputs))
    return found, list(_find_positions(model.outputs, reached))


def _find_positions(tensors: Sequence[tf.Tensor], reached: set[int]) -> Iterator[int]:
    return (position for position, tensor in enumerate(tensors) if id(tensor) in reached)
