"""The VGG-small of ReCU for CIFAR-sized images."""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf.layers import HardTanh, binary_conv2d
from recu_tf.models.resnet import batch_norm, full_precision

__all__ = ["vgg_small"]


def _normal_fan_out() -> tf.keras.initializers.Initializer:
    return tf.keras.initializers.VarianceScaling(2, "fan_out", "untruncated_normal")


def vgg_small(
    input_shape: Sequence[int] = (32, 32, 3), num_classes: int = 10, name: str = "vgg_small_1w1a"
) -> tf.keras.Model:
    """The VGG-small of ReCU: five binary convolutions, three of them pooled, no shortcuts.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).
    """
    inputs = tf.keras.Input(input_shape, name="image")
    x = tf.keras.layers.Conv2D(
        128,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=_normal_fan_out(),
        name="conv0",
    )(inputs)
    x = HardTanh(name="hard_tanh0")(batch_norm(x, "bn0"))
    stages = ((128, True), (256, False), (256, True), (512, False), (512, True))
    for number, (filters, pooled) in enumerate(stages, start=1):
        x = binary_conv2d(x, filters, kernel_initializer=_normal_fan_out(), name=f"conv{number}")
        if pooled:
            x = tf.keras.layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = HardTanh(name=f"hard_tanh{number}")(batch_norm(x, f"bn{number}"))
    logits = tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
        dtype=full_precision(),
        name="fc",
    )(tf.keras.layers.Flatten(name="flatten")(x))
    return tf.keras.Model(inputs, logits, name=name)
