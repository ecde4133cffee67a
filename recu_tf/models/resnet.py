"""The ResNets of ReCU for CIFAR-sized images.

Every stage of blocks is a row of a table, every kind of block a function. Layers carry the names
of the published implementation's modules. Strided convolutions are plain SAME: the published
graph turned by 180 degrees, which is the same network and what the converter compiles rightly.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from recu_tf.layers import HardTanh, PadChannels, binary_conv2d

__all__ = ["resnet", "resnet18", "resnet20"]

Block = Callable[[tf.Tensor, int, int, str], tf.Tensor]


def batch_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    """Batch normalisation with the published epsilon and running averages."""
    return tf.keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=name)(x)


def classifier(x: tf.Tensor, num_classes: int, name: str) -> tf.Tensor:
    """The last layer, kernel and bias uniform in +-1/sqrt(fan_in), in float32: logits."""
    limit = x.shape[-1] ** -0.5
    return tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=tf.keras.initializers.RandomUniform(-limit, limit),
        dtype=full_precision(),
        name=name,
    )(x)


def full_precision() -> str:
    """The type of the weights under the policy in force: float32 under mixed precision."""
    return tf.keras.mixed_precision.global_policy().variable_dtype


def binary_unit(x: tf.Tensor, filters: int, strides: int, name: str, number: int) -> tf.Tensor:
    """A binary convolution, its scale and batch normalisation."""
    x = binary_conv2d(x, filters, strides, name=f"{name}.conv{number}")
    return batch_norm(x, f"{name}.bn{number}")


def pooled_shortcut(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """The shortcut without weights: average pooling for the stride, zeros for new channels."""
    added = filters - x.shape[-1]
    if strides > 1:
        x = tf.keras.layers.AveragePooling2D(
            strides, strides, padding="same", name=f"{name}.shortcut.pool"
        )(x)
    if added:
        x = PadChannels(added // 2, added - added // 2, name=f"{name}.shortcut.pad")(x)
    return x


def twice_connected_block(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """Two binary convolutions, each with a shortcut around it (ResNet-20)."""
    shortcut = pooled_shortcut(x, filters, strides, name)
    x = tf.keras.layers.add([binary_unit(x, filters, strides, name, 1), shortcut])
    y = HardTanh(name=f"{name}.hard_tanh1")(x)
    x = tf.keras.layers.add([binary_unit(y, filters, 1, name, 2), y])
    return HardTanh(name=f"{name}.hard_tanh2")(x)


def once_connected_block(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """Two binary convolutions with one shortcut around both (ResNet-18)."""
    shortcut = pooled_shortcut(x, filters, strides, name)
    y = HardTanh(name=f"{name}.hard_tanh1")(binary_unit(x, filters, strides, name, 1))
    x = tf.keras.layers.add([binary_unit(y, filters, 1, name, 2), shortcut])
    return HardTanh(name=f"{name}.hard_tanh2")(x)


def resnet(
    input_shape: Sequence[int],
    num_classes: int,
    stages: Sequence[tuple[int, int]],
    block: Block,
    stem_hard_tanh: bool,
    name: str,
) -> tf.keras.Model:
    """A ResNet for small images from its table.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        stages: number of blocks and of channels of each; all but the first halve the image.
        block: what makes a block from its input, channels, strides and name.
        stem_hard_tanh: whether a hard tanh follows the first convolution.
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).
    """
    inputs = tf.keras.Input(input_shape, name="image")
    x = tf.keras.layers.Conv2D(
        stages[0][1],
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=tf.keras.initializers.VarianceScaling(2, "fan_in", "untruncated_normal"),
        name="conv1",
    )(inputs)
    x = batch_norm(x, "bn1")
    if stem_hard_tanh:
        x = HardTanh(name="hard_tanh1")(x)
    for stage, (blocks, filters) in enumerate(stages, start=1):
        for index in range(blocks):
            strides = 2 if stage > 1 and index == 0 else 1
            x = block(x, filters, strides, f"layer{stage}.{index}")
    # Pooled to (1, 1, C), not (C,): only there does Keras keep the unbiased running variance.
    x = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = tf.keras.layers.Flatten(name="flatten")(batch_norm(x, "bn2"))
    return tf.keras.Model(inputs, classifier(x, num_classes, "linear"), name=name)


def resnet20(
    input_shape: Sequence[int] = (32, 32, 3), num_classes: int = 10, name: str = "resnet20_1w1a"
) -> tf.keras.Model:
    """The ResNet-20 of ReCU: three stages of three blocks, 16, 32 and 64 channels.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).
    """
    stages = ((3, 16), (3, 32), (3, 64))
    return resnet(input_shape, num_classes, stages, twice_connected_block, True, name)


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    widths: Sequence[int] = (64, 128, 256, 512),
    name: str = "resnet18_1w1a",
) -> tf.keras.Model:
    """The CIFAR ResNet-18 of ReCU: four stages of two blocks.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        widths: channels of the stages. The published variants are A (32, 32, 64, 128),
            B (32, 64, 128, 256) and C (64, 64, 128, 256).
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).
    """
    stages = [(2, width) for width in widths]
    return resnet(input_shape, num_classes, stages, once_connected_block, False, name)
