"""Mean and standard deviation that turn pixels into the numbers a network takes."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

__all__ = ["Normalization"]


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel, of pixels on a scale from 0 to 1.

    Called with pixels from 0 to 255 (batch, height, width, channels), it gives the float32 numbers
    that a network takes.

    Attributes:
        mean: of each channel, from 0 to 1.
        std: of each channel, above 0.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Normalises pixels (batch, height, width, channels) on a scale from 0 to 255."""
        pixels = tf.convert_to_tensor(pixels)
        # A row per image: multiplying by a vector this long is several times faster than by 3
        # numbers.
        size = pixels.shape[1:].num_elements()
        factor = np.resize(1 / (255 * np.array(self.std)), size).astype(np.float32)
        shift = np.resize(np.array(self.mean) / self.std, size).astype(np.float32)
        rows = tf.reshape(tf.cast(pixels, tf.float32), [-1, size])
        return tf.reshape(rows * factor - shift, [-1, *pixels.shape[1:]])

    def invert(self, images: tf.Tensor | np.ndarray) -> tf.Tensor:
        """The pixels from 0 to 255 that images had before they were normalised.

        Args:
            images: normalised, (batch, height, width, channels), floating-point.

        Returns:
            Of the same shape and type, not rounded.
        """
        std, mean = (tf.constant(255 * np.array(v), images.dtype) for v in (self.std, self.mean))
        return images * std + mean
