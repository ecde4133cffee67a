"""Layers that act on each channel: a learned factor, a learned bias, channels of zeros."""

import numbers

import tensorflow as tf

__all__ = ["ChannelScale", "LearnableBias", "PadChannels"]


def _check_channels(input_shape) -> int:
    """The number of channels; raises a ValueError if it is unknown."""
    if input_shape[-1] is None:
        raise ValueError(f"`inputs` must have a fixed number of channels, got {input_shape}.")
    return input_shape[-1]


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class ChannelScale(tf.keras.layers.Layer):
    """Multiplies each channel by a learned factor, the published `alpha`.

    Shape: (..., channels) to the same. The weight `alpha` has shape (channels,), which the
    converter of Larq Compute Engine folds into the convolution before it.

    Args:
        alpha_initializer: Keras initializer; None means uniform in [0, 1), as published.

    Raises:
        ValueError: when built: the number of channels is unknown.
    """

    def __init__(self, alpha_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.alpha_initializer = (
            tf.keras.initializers.RandomUniform(0, 1)
            if alpha_initializer is None
            else tf.keras.initializers.get(alpha_initializer)
        )

    def build(self, input_shape):
        """Creates `alpha`."""
        channels = _check_channels(input_shape)
        self.alpha = self.add_weight(
            name="alpha", shape=(channels,), initializer=self.alpha_initializer
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Scales the inputs."""
        return inputs * self.alpha

    def get_config(self) -> dict:
        """The constructor's arguments."""
        initializer = tf.keras.initializers.serialize(self.alpha_initializer)
        return {**super().get_config(), "alpha_initializer": initializer}


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class PadChannels(tf.keras.layers.Layer):
    """Adds channels of zeros, as the published CIFAR ResNets do in shortcuts to more channels.

    Shape: (..., channels) to (..., before + channels + after).

    Args:
        before: number of channels to add before the first.
        after: number of channels to add after the last.

    Raises:
        ValueError: `before` or `after` is not a whole number from 0.
    """

    def __init__(self, before: int, after: int, **kwargs):
        for name, value in (("before", before), ("after", after)):
            if not isinstance(value, numbers.Integral) or value < 0:
                raise ValueError(f"`{name}` must be a whole number from 0, got {value!r}.")
        super().__init__(**kwargs)
        self.before = int(before)
        self.after = int(after)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads the inputs."""
        return tf.pad(inputs, [[0, 0]] * (inputs.shape.rank - 1) + [[self.before, self.after]])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "before": self.before, "after": self.after}


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class LearnableBias(tf.keras.layers.Layer):
    """Adds a learned bias to each channel, as the published two-stage networks do around units.

    Shape: (..., channels) to the same. The weight `bias` has shape (channels,) and starts at 0.

    Raises:
        ValueError: when built: the number of channels is unknown.
    """

    def build(self, input_shape):
        """Creates `bias`."""
        channels = _check_channels(input_shape)
        self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Adds the bias."""
        return inputs + self.bias
