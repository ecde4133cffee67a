"""The two-stage ResNets of ReCU: blocks of one binary convolution between learned biases.

"Two-stage" is how they are trained (first binary activations with real weights, then both
binary), not how they are built.
"""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf.layers import LearnableBias, binary_conv2d
from recu_tf.models.blocks import (
    add,
    average_pool,
    batch_norm,
    classifier,
    convolution,
    max_pool,
    network,
)

__all__ = ["two_stage_resnet18", "two_stage_resnet34"]

# Blocks and channels of each stage; all but the first halve the image.
STAGES = {
    "two_stage_resnet18_1w1a": ((4, 64), (4, 128), (4, 256), (4, 512)),
    "two_stage_resnet34_1w1a": ((6, 64), (8, 128), (12, 256), (6, 512)),
}


def uniform_fan_in() -> tf.keras.initializers.Initializer:
    """PyTorch's default for convolutions: uniform in +-1/sqrt(fan_in)."""
    return tf.keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def stem(x: tf.Tensor, filters: int) -> tf.Tensor:
    """The first convolution and its pooling: a quarter of the size."""
    x = convolution(x, filters, 7, "conv", strides=2, initializer=uniform_fan_in())
    return max_pool(batch_norm(x, "bn"))


def pooled_projection(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """The shortcut: average pooling with the stride, then a 1x1 convolution, where one is due."""
    if strides == 1 and filters == x.shape[-1]:
        return x
    if strides > 1:
        x = average_pool(x, strides, name)
    x = convolution(x, filters, 1, f"{name}.downsample.1", initializer=uniform_fan_in())
    return batch_norm(x, f"{name}.downsample.2")


def biased_block(
    x: tf.Tensor, filters: int, strides: int, pad_values: float, name: str
) -> tf.Tensor:
    """One binary convolution with a shortcut, learned biases before and around a PReLU."""
    y = LearnableBias(name=f"{name}.move0")(x)
    y = binary_conv2d(y, filters, strides, uniform_fan_in(), pad_values, f"{name}.conv")
    y = add(batch_norm(y, f"{name}.bn"), pooled_projection(x, filters, strides, name))
    y = LearnableBias(name=f"{name}.move1")(y)
    y = tf.keras.layers.PReLU(
        alpha_initializer=tf.keras.initializers.Constant(0.25),
        shared_axes=[1, 2],
        name=f"{name}.nonlinear",
    )(y)
    return LearnableBias(name=f"{name}.move2")(y)


def head(x: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Global average, classifier."""
    return classifier(
        tf.keras.layers.GlobalAveragePooling2D(dtype=x.dtype.name, name="pool")(x),
        num_classes,
        "fc",
    )


def two_stage_resnet18(
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    pad_values: float = 0,
    **options,
) -> tf.keras.Model:
    """The two-stage ResNet-18 of ReCU: four stages of four blocks of one convolution.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    """
    stages = STAGES["two_stage_resnet18_1w1a"]
    return network(
        input_shape, num_classes, stages, stem, biased_block, head, pad_values, **options
    )


def two_stage_resnet34(
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    pad_values: float = 0,
    **options,
) -> tf.keras.Model:
    """The two-stage ResNet-34 of ReCU: stages of six, eight, twelve and six blocks.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    """
    stages = STAGES["two_stage_resnet34_1w1a"]
    return network(
        input_shape, num_classes, stages, stem, biased_block, head, pad_values, **options
    )
