"""The layers of ReCU networks that neither Keras nor Larq has, and the binary convolution."""

from recu_tf.layers.activations import HardTanh, hard_tanh
from recu_tf.layers.binary_convolution import BinaryConv2D, binary_conv2d, kaiming_normal
from recu_tf.layers.channels import ChannelScale, LearnableBias, PadChannels
from recu_tf.layers.positions import Rotate180, Subsample

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
    "kaiming_normal",
]
