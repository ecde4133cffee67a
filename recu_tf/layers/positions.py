"""Layers that choose positions of an image: rotation by 180 degrees, and subsampling."""

import numbers

import tensorflow as tf

__all__ = ["Rotate180", "Subsample"]


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Rotate180(tf.keras.layers.Layer):
    """Rotates images by 180 degrees: the first layer of a network imported from PyTorch.

    Shape: (batch, height, width, channels) to the same. PyTorch pads a strided convolution at the
    first edge, TensorFlow at the last. With images and kernels rotated, a network computes the same
    with TensorFlow's padding.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Rotates the inputs."""
        return tf.reverse(inputs, [1, 2])


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Subsample(tf.keras.layers.Layer):
    """Keeps every n-th row and column, counted from the last: what a strided 1x1 kernel sees.

    Shape: (batch, height, width, channels) to (batch, ceil(height / strides), ceil(width /
    strides), channels). The last row and column are always kept: in a graph rotated by 180 degrees
    they are the first of the published graph, and a 3x3 SAME convolution is centred on them too.

    Args:
        strides: n, the same for rows and columns, a whole number from 1.

    Raises:
        ValueError: `strides` is not a whole number from 1.
    """

    def __init__(self, strides: int, **kwargs):
        if not isinstance(strides, numbers.Integral) or strides < 1:
            raise ValueError(f"`strides` must be a whole number from 1, got {strides!r}.")
        super().__init__(**kwargs)
        self.strides = int(strides)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Samples the inputs."""
        # Known sizes stay numbers, so that a converted graph has a single slice and no arithmetic.
        sizes = [known or tf.shape(inputs)[axis] for axis, known in enumerate(inputs.shape)][1:3]
        row, column = [(size - 1) % self.strides for size in sizes]
        return inputs[:, row :: self.strides, column :: self.strides]

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "strides": self.strides}
