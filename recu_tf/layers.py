"""The layers of ReCU networks that neither Keras nor Larq has, and the binary convolution."""

import larq as lq
import tensorflow as tf

from recu_tf.quantizers import ReCU, StandardizedApproxSign

__all__ = [
    "BinaryConv2D",
    "ChannelScale",
    "HardTanh",
    "LearnableBias",
    "PadChannels",
    "Rotate180",
    "Subsample",
    "binary_conv2d",
    "hard_tanh",
]


def hard_tanh(x: tf.Tensor) -> tf.Tensor:
    r"""Clips to [-1, 1].

    Forward \(\max(-1, \min(1, x))\); the gradient is 1 where \(|x| < 1\) and 0 elsewhere, at
    -1 and 1 as well, as in the published implementation (`tf.clip_by_value` lets it pass there).

    Args:
        x: float tensor of any shape.

    Returns:
        A tensor like `x`.
    """

    @tf.custom_gradient
    def clip(x):
        def gradient(upstream):
            return upstream * tf.cast(tf.abs(x) < 1, x.dtype)

        return tf.clip_by_value(x, -1, 1), gradient

    return clip(x)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class HardTanh(tf.keras.layers.Layer):
    """`hard_tanh` as a layer. Takes and gives any shape; float."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Clips the inputs to [-1, 1]."""
        return hard_tanh(inputs)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class ChannelScale(tf.keras.layers.Layer):
    """Multiplies each channel by a learned factor, the published `alpha`.

    Shape: (..., channels) to the same. The weight `alpha` has shape (channels,), which the
    converter of Larq Compute Engine folds into the convolution before it.

    Args:
        alpha_initializer: Keras initializer; uniform in [0, 1) unless given, as published.
    """

    def __init__(self, alpha_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.alpha_initializer = (
            tf.keras.initializers.RandomUniform(0, 1)
            if alpha_initializer is None
            else tf.keras.initializers.get(alpha_initializer)
        )

    def build(self, input_shape):
        """Makes `alpha`; raises a ValueError where the number of channels is unknown."""
        if input_shape[-1] is None:
            raise ValueError(f"`inputs` must have a fixed number of channels, got {input_shape}.")
        self.alpha = self.add_weight(
            name="alpha", shape=(input_shape[-1],), initializer=self.alpha_initializer
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
    """Adds channels of zeros, as the shortcut of the CIFAR ResNets does where the width grows.

    Shape: (..., channels) to (..., before + channels + after).

    Args:
        before: number of channels to add in front.
        after: number of channels to add behind.

    Raises:
        ValueError: one of them is not a whole number from 0.
    """

    def __init__(self, before: int, after: int, **kwargs):
        for name, value in (("before", before), ("after", after)):
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"`{name}` must be a whole number from 0, got {value!r}.")
        super().__init__(**kwargs)
        self.before = before
        self.after = after

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads the inputs."""
        return tf.pad(inputs, [[0, 0]] * (inputs.shape.rank - 1) + [[self.before, self.after]])

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "before": self.before, "after": self.after}


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class LearnableBias(tf.keras.layers.Layer):
    """Adds a learned number to each channel, as the two-stage networks do around their units.

    Shape: (..., channels) to the same. The weight `bias` has shape (channels,) and starts at 0.
    """

    def build(self, input_shape):
        """Makes `bias`; raises a ValueError where the number of channels is unknown."""
        if input_shape[-1] is None:
            raise ValueError(f"`inputs` must have a fixed number of channels, got {input_shape}.")
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Adds the bias."""
        return inputs + self.bias


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Rotate180(tf.keras.layers.Layer):
    """Turns images by 180 degrees, which a network imported from PyTorch does first.

    Shape: (batch, height, width, channels) to the same. The padding of a strided convolution is
    PyTorch's at the first edge and TensorFlow's at the last; turned, with its kernels, a network
    computes the same with either.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Turns the inputs."""
        return tf.reverse(inputs, [1, 2])


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Subsample(tf.keras.layers.Layer):
    """Keeps every so many rows and columns, counted from the last: what a strided 1x1 kernel sees.

    Shape: (batch, height, width, channels) to (batch, ceil(height / strides), ceil(width /
    strides), channels). The last row and column are always kept: in a graph turned by 180 degrees
    they are the first of the published one, and a 3x3 SAME convolution is centred on them too.

    Args:
        strides: of both directions, a whole number from 1.

    Raises:
        ValueError: `strides` is something else.
    """

    def __init__(self, strides: int, **kwargs):
        if not isinstance(strides, int) or strides < 1:
            raise ValueError(f"`strides` must be a whole number from 1, got {strides!r}.")
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Samples the inputs."""
        # Known sizes stay numbers, so that a converted graph holds one slice and no arithmetic.
        sizes = [known or tf.shape(inputs)[axis] for axis, known in enumerate(inputs.shape)][1:3]
        row, column = [(size - 1) % self.strides for size in sizes]
        return inputs[:, row :: self.strides, column :: self.strides]

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "strides": self.strides}


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class BinaryConv2D(lq.layers.QuantConv2D):
    """Larq's `QuantConv2D` whose input is binarised before mixed precision casts it.

    In the ImageNet ResNets activations start at about 1e-8, which float16 does not know: cast
    first, every sign would be that of 0. Shapes and arguments are those of `QuantConv2D`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, autocast=False, **kwargs)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves the binary inputs, in the type of the policy."""
        return super().convolution_op(tf.cast(inputs, self.compute_dtype), kernel)


def binary_conv2d(
    x: tf.Tensor,
    filters: int,
    strides: int = 1,
    kernel_initializer: tf.keras.initializers.Initializer | None = None,
    pad_values: float = 0,
    name: str | None = None,
) -> tf.Tensor:
    """Applies ReCU's binary convolution: 3x3, SAME padding, no bias, then the scale.

    Args:
        x: symbolic activations (batch, height, width, channels), not yet binary.
        filters: number of output channels.
        strides: of both directions.
        kernel_initializer: normal with variance 2 / fan_in unless given.
        pad_values: what the binary activations are padded with: 0 as published, or 1, which lets
            Larq Compute Engine keep more of the graph bit-packed.
        name: of the convolution; the scale's is `name` with `.alpha` behind it.

    Returns:
        A symbolic tensor (batch, ceil(height / strides), ceil(width / strides), filters).

    Raises:
        ValueError: `pad_values` is neither 0 nor 1.
    """
    if pad_values not in (0, 1):
        raise ValueError(f"`pad_values` must be 0 or 1, got {pad_values!r}.")
    if kernel_initializer is None:
        kernel_initializer = tf.keras.initializers.VarianceScaling(
            2, "fan_in", "untruncated_normal"
        )
    x = BinaryConv2D(
        filters,
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        input_quantizer=StandardizedApproxSign(),
        kernel_quantizer=ReCU(),
        kernel_initializer=kernel_initializer,
        pad_values=pad_values,
        name=name,
    )(x)
    return ChannelScale(name=name and f"{name}.alpha")(x)
