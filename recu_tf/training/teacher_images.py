"""The images of a training as another network wants them: its normalisation and its size."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from recu_tf.data import Normalization

__all__ = ["make_adapter", "resize"]

Images = Callable[[tf.Tensor], tf.Tensor]


def make_adapter(
    normalization: Normalization | None,
    wanted: Images | None,
    size: Sequence[int],
    wanted_size: Sequence[int],
) -> Images | None:
    """Makes a function that turns images that one network takes into those another takes.

    The images are turned back into pixels, resized and normalised, in this order. Whatever is the
    same for both networks is left out.

    Args:
        normalization: of the images that come; None if `wanted` is None, too: not known.
        wanted: from float32 pixels (batch, height, width, channels), from 0 to 255, to what the
            other network takes; a `Normalization` does that.
        size: (height, width) of the images that come.
        wanted_size: (height, width) that the other network takes.

    Returns:
        The function; None if both networks take the same images.
    """
    same, same_size = wanted == normalization, tuple(wanted_size) == tuple(size)
    if same and same_size:
        return None

    def adapt(images: tf.Tensor) -> tf.Tensor:
        images = tf.cast(images, tf.float32)
        if not same:
            images = normalization.invert(images)
        if not same_size:
            images = resize(images, wanted_size)
        return images if same else wanted(images)

    return adapt


def resize(images: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """Resizes images with linear interpolation, antialiased where they become smaller.

    The same numbers as `tf.image.resize(..., antialias=True)`, as two products with constant
    matrices, which XLA can compile.

    Args:
        images: (batch, height, width, channels), of known height and width.
        size: (height, width) of the result.
    """
    rows, columns = (
        tf.constant(_make_weights(old, new), images.dtype)
        for old, new in zip(images.shape[1:3], size, strict=True)
    )
    return tf.einsum("yh,xw,bhwc->byxc", rows, columns, images)


def _make_weights(old: int, new: int) -> np.ndarray:
    """The weights (new, old) of the old pixels in the new: triangles around their centres."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis])
    weights = np.maximum(1 - distances / max(scale, 1), 0)
    return weights / weights.sum(axis=1, keepdims=True)
