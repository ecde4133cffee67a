"""ReCU's binary convolution: the layer, and the block of it and its scale."""

import larq as lq
import tensorflow as tf

from recu_tf import choices
from recu_tf.choices import INPUT_QUANTIZERS, NETWORK_PRECISIONS, check_choice
from recu_tf.layers.channels import ChannelScale
from recu_tf.quantizers import ReCU

__all__ = ["BinaryConv2D", "binary_conv2d", "kaiming_normal"]


def kaiming_normal(mode: str = "fan_in") -> tf.keras.initializers.Initializer:
    """PyTorch's `kaiming_normal_`, the published initializer of convolutions.

    Normal with variance 2 / fan; not truncated, unlike Keras' `he_normal`.

    Args:
        mode: "fan_in" or "fan_out".

    Raises:
        ValueError: `mode` is neither.
    """
    return tf.keras.initializers.VarianceScaling(2, mode, "untruncated_normal")


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class BinaryConv2D(lq.layers.QuantConv2D):
    """Larq's `QuantConv2D` whose input is binarised before mixed precision casts it.

    In the ImageNet ResNets activations start at about 1e-8, which float16 rounds to 0: cast before,
    all would have the sign of 0. Its shapes and arguments are those of `QuantConv2D`; without its
    quantizers it is a real-valued convolution.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, autocast=False, **kwargs)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolves the inputs, in the compute dtype of the policy."""
        return super().convolution_op(tf.cast(inputs, self.compute_dtype), kernel)


def binary_conv2d(
    x: tf.Tensor,
    filters: int,
    strides: int = 1,
    *,
    kernel_initializer: tf.keras.initializers.Initializer | None = None,
    pad_values: float = 0,
    precision: str = choices.BINARY,
    input_quantizer: str = choices.APPROX_SIGN,
    name: str | None = None,
) -> tf.Tensor:
    """Applies ReCU's binary convolution: 3x3, SAME padding, no bias, followed by `ChannelScale`.

    The layers, and the shapes and order of their weights, do not depend on the precision; only a
    kernel with `ReCU` has a temperature besides, which is not trainable.

    Args:
        x: symbolic activations (batch, height, width, channels), not yet binary.
        filters: number of output channels.
        strides: of both height and width, in pixels.
        kernel_initializer: None means `kaiming_normal()`.
        pad_values: of binary activations: 0 as published, or 1, with which Larq Compute Engine
            keeps more of the graph bit-packed. Real activations, those of "float", are padded with
            0 in any case.
        precision: "binary"; "binary_activations", whose kernel is real (no `ReCU`); or "float",
            whose activations are real too: nothing stands in the place of their sign, the
            convolution takes `x` as it is.
        input_quantizer: alias of the activations' quantizer, one of
            `recu_tf.choices.INPUT_QUANTIZERS`, if they are binary.
        name: of the convolution; the name of the scale is `name` followed by `.alpha`.

    Returns:
        A symbolic tensor (batch, ceil(height / strides), ceil(width / strides), filters).

    Raises:
        ValueError: `pad_values` is neither 0 nor 1, or the precision or the quantizer is none of
            those.
    """
    check_choice("input_quantizer", input_quantizer, INPUT_QUANTIZERS)
    if pad_values not in (0, 1):
        raise ValueError(f"`pad_values` must be 0 or 1, got {pad_values!r}.")
    check_choice("precision", precision, NETWORK_PRECISIONS)
    x = BinaryConv2D(
        filters,
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        input_quantizer=None if precision == choices.FLOAT else input_quantizer,
        kernel_quantizer=ReCU() if precision == choices.BINARY else None,
        kernel_initializer=kernel_initializer or kaiming_normal(),
        pad_values=0 if precision == choices.FLOAT else pad_values,
        name=name,
    )(x)
    return ChannelScale(name=name and f"{name}.alpha")(x)
