"""The hard tanh, as a function and as a layer."""

import tensorflow as tf

__all__ = ["HardTanh", "hard_tanh"]


def hard_tanh(x: tf.Tensor) -> tf.Tensor:
    r"""Clips to [-1, 1].

    Forward \(\max(-1, \min(1, x))\); the gradient is 1 where \(|x| < 1\) and 0 elsewhere, also
    at -1 and 1, as in the published implementation (`tf.clip_by_value` has gradient 1 there).

    Args:
        x: tensor of any shape, floating.

    Returns:
        A tensor of the shape and dtype of `x`.
    """

    @tf.custom_gradient
    def clip(x):
        def gradient(upstream):
            return upstream * tf.cast(tf.abs(x) < 1, x.dtype)

        return tf.clip_by_value(x, -1, 1), gradient

    return clip(x)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class HardTanh(tf.keras.layers.Layer):
    """`hard_tanh` as a layer. Shape: any shape to the same; floating."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Clips the inputs to [-1, 1]."""
        return hard_tanh(inputs)
