"""Networks of a layer or two, and images."""

import numpy as np
import tensorflow as tf


def make_images(count, size=8):
    """Normally distributed numbers, (count, size, size, 3)."""
    shape = (count, size, size, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def dense(batch_size=None, dtype="float32"):
    """A network whose output depends on every pixel."""
    inputs = tf.keras.Input((8, 8, 3), batch_size, dtype=dtype)
    flat = tf.keras.layers.Flatten()(tf.cast(inputs, "float32"))
    return tf.keras.Model(inputs, tf.keras.layers.Dense(4)(flat))


class WithoutConfig(tf.keras.layers.Layer):
    """A layer that cannot be made from its configuration."""

    def __init__(self, function):
        super().__init__(name="nameless")
        self.function = function

    def call(self, inputs):
        return self.function(inputs)
