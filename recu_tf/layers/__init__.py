"""The layers of ReCU networks that neither Keras nor Larq has, and the binary convolution.

Examples:
    A residual block as in the published ResNet-20, from 16 to 32 channels and half the size:

    >>> x = tf.keras.Input((32, 32, 16))
    >>> y = recu_tf.layers.binary_conv2d(x, 32, strides=2)  # with a scale for each channel
    >>> y = recu_tf.batch_norm.BatchNormalization()(y)
    >>> shortcut = recu_tf.layers.PadChannels(8, 8)(tf.keras.layers.AveragePooling2D()(x))
    >>> y = recu_tf.layers.HardTanh()(tf.keras.layers.add([y, shortcut]))
    >>> y.shape
    TensorShape([None, 16, 16, 32])

    What the layers do by themselves:

    >>> x = tf.reshape(tf.range(6.0), (1, 2, 3, 1))
    >>> recu_tf.layers.Rotate180()(x)[0, ..., 0].numpy()
    array([[5., 4., 3.],
           [2., 1., 0.]], dtype=float32)
    >>> recu_tf.layers.Subsample(strides=2)(x)[0, ..., 0].numpy()
    array([[3., 5.]], dtype=float32)
    >>> recu_tf.layers.hard_tanh(x)[0, ..., 0].numpy()
    array([[0., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    >>> scale, bias = recu_tf.layers.ChannelScale("ones"), recu_tf.layers.LearnableBias()
    >>> bool(tf.reduce_all(bias(scale(x)) == x))  # before they have learned anything
    True

    A convolution of your own, with the published initializer:

    >>> layer = recu_tf.layers.BinaryConv2D(
    ...     32,
    ...     3,
    ...     input_quantizer="standardized_approx_sign",
    ...     kernel_quantizer="recu",
    ...     kernel_initializer=recu_tf.layers.kaiming_normal("fan_out"),
    ... )
    >>> layer(tf.zeros((1, 8, 8, 16))).shape
    TensorShape([1, 6, 6, 32])
"""

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
