"""The VGG-small of ReCU for CIFAR-sized images."""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf import choices
from recu_tf.layers import kaiming_normal
from recu_tf.models.blocks import batch_norm, convolution, get_variable_dtype, hard_tanh
from recu_tf.models.network_options import NetworkOptions

__all__ = ["vgg_small"]


def vgg_small(
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    pad_values: float = 0,
    *,
    precision: str = choices.BINARY,
    input_quantizer: str = choices.APPROX_SIGN,
    name: str = "vgg_small_1w1a",
) -> tf.keras.Model:
    """The VGG-small of ReCU: five binary convolutions, three with pooling, no shortcuts.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        pad_values: 0 as published, or 1; see `recu_tf.layers.binary_conv2d`.
        precision: of the binary convolutions; see `recu_tf.models.build`.
        input_quantizer: of their activations; see `recu_tf.models.build`.
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).

    Raises:
        ValueError: an option has none of its values.
    """
    options = NetworkOptions(pad_values, precision, input_quantizer)
    inputs = tf.keras.Input(input_shape, name="image")
    x = convolution(inputs, 128, 3, "conv0", initializer=kaiming_normal("fan_out"))
    x = hard_tanh(batch_norm(x, "bn0"), "hard_tanh0")
    stages = ((128, True), (256, False), (256, True), (512, False), (512, True))
    for number, (filters, pooled) in enumerate(stages, start=1):
        x = options.convolve(
            x, filters, kernel_initializer=kaiming_normal("fan_out"), name=f"conv{number}"
        )
        if pooled:
            x = tf.keras.layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = hard_tanh(batch_norm(x, f"bn{number}"), f"hard_tanh{number}")
    logits = tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
        dtype=get_variable_dtype(),
        name="fc",
    )(tf.keras.layers.Flatten(name="flatten")(x))
    return tf.keras.Model(inputs, logits, name=name)
