"""The ResNets of ReCU, for small images and for ImageNet.

Every stage of blocks is a row of a table, every kind of block a function. Layers carry the names
of the published implementation's modules. Strided convolutions are plain SAME: the published
graph turned by 180 degrees, which is the same network and what the converter compiles rightly.
"""

from collections.abc import Callable, Sequence
from functools import partial

import tensorflow as tf

from recu_tf.batch_norm import BatchNormalization
from recu_tf.layers import PadChannels, Subsample, binary_conv2d
from recu_tf.models.blocks import (
    Stages,
    add,
    average_pool,
    batch_norm,
    classifier,
    convolution,
    full_precision,
    hard_tanh,
    max_pool,
    network,
)

__all__ = ["imagenet_resnet18", "imagenet_resnet34", "resnet18", "resnet20"]

# Blocks and channels of each stage; all but the first halve the image.
CIFAR_STAGES = {
    "resnet20_1w1a": ((3, 16), (3, 32), (3, 64)),
    "resnet18_1w1a": ((2, 64), (2, 128), (2, 256), (2, 512)),
    "resnet18A_1w1a": ((2, 32), (2, 32), (2, 64), (2, 128)),
    "resnet18B_1w1a": ((2, 32), (2, 64), (2, 128), (2, 256)),
    "resnet18C_1w1a": ((2, 64), (2, 64), (2, 128), (2, 256)),
}
IMAGENET_STAGES = {
    "resnet18_1w1a": ((2, 64), (2, 128), (2, 256), (2, 512)),
    "resnet34_1w1a": ((3, 64), (4, 128), (6, 256), (3, 512)),
}
# With it the ImageNet ResNets start as the identity; only the head's gamma starts at 1.
TINY_GAMMA = 1e-8


def pooled_shortcut(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """The shortcut without weights: average pooling for the stride, zeros for new channels."""
    added = filters - x.shape[-1]
    if strides > 1:
        x = average_pool(x, strides, name)
    if added:
        x = PadChannels(
            added // 2, added - added // 2, dtype=x.dtype.name, name=f"{name}.shortcut.pad"
        )(x)
    return x


def projected_shortcut(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """The shortcut of the ImageNet ResNets: a 1x1 convolution with the stride where one is due."""
    if strides == 1 and filters == x.shape[-1]:
        return x
    if strides > 1:
        x = Subsample(strides, dtype=x.dtype.name, name=f"{name}.shortcut.subsample")(x)
    x = convolution(x, filters, 1, f"{name}.downsample.0", dtype=full_precision())
    return batch_norm(x, f"{name}.downsample.1", TINY_GAMMA)


def twice_connected_block(
    x: tf.Tensor,
    filters: int,
    strides: int,
    pad_values: float,
    name: str,
    shortcut: Callable[[tf.Tensor, int, int, str], tf.Tensor] = pooled_shortcut,
    gamma: float = 1.0,
) -> tf.Tensor:
    """Two binary convolutions, each with a shortcut around it (ResNet-20, ImageNet ResNets)."""
    y = binary_conv2d(x, filters, strides, pad_values=pad_values, name=f"{name}.conv1")
    y = add(batch_norm(y, f"{name}.bn1", gamma), shortcut(x, filters, strides, name))
    y = hard_tanh(y, f"{name}.hard_tanh1")
    z = binary_conv2d(y, filters, pad_values=pad_values, name=f"{name}.conv2")
    return hard_tanh(add(batch_norm(z, f"{name}.bn2", gamma), y), f"{name}.hard_tanh2")


def once_connected_block(
    x: tf.Tensor, filters: int, strides: int, pad_values: float, name: str
) -> tf.Tensor:
    """Two binary convolutions with one shortcut around both (CIFAR ResNet-18)."""
    y = binary_conv2d(x, filters, strides, pad_values=pad_values, name=f"{name}.conv1")
    y = hard_tanh(batch_norm(y, f"{name}.bn1"), f"{name}.hard_tanh1")
    z = binary_conv2d(y, filters, pad_values=pad_values, name=f"{name}.conv2")
    z = add(batch_norm(z, f"{name}.bn2"), pooled_shortcut(x, filters, strides, name))
    return hard_tanh(z, f"{name}.hard_tanh2")


def cifar_stem(x: tf.Tensor, filters: int) -> tf.Tensor:
    """The first convolution of the CIFAR ResNet-18."""
    return batch_norm(convolution(x, filters, 3, "conv1"), "bn1")


def clipped_cifar_stem(x: tf.Tensor, filters: int) -> tf.Tensor:
    """The first convolution of the ResNet-20, with a hard tanh behind it."""
    return hard_tanh(cifar_stem(x, filters), "hard_tanh1")


def imagenet_stem(x: tf.Tensor, filters: int) -> tf.Tensor:
    """The first convolution of the ImageNet ResNets and their pooling: a quarter of the size."""
    x = batch_norm(convolution(x, filters, 7, "conv1", strides=2), "bn1", TINY_GAMMA)
    return max_pool(hard_tanh(x, "hard_tanh1"))


def normalized_head(x: tf.Tensor, num_classes: int, name: str) -> tf.Tensor:
    """Global average, batch normalisation, classifier."""
    # Pooled to (1, 1, C), not (C,): there Keras has a fused kernel.
    x = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, dtype=x.dtype.name, name="pool")(x)
    x = BatchNormalization(dtype=full_precision(), name="bn2")(x)
    return classifier(tf.keras.layers.Flatten(name="flatten")(x), num_classes, name)


cifar_head = partial(normalized_head, name="linear")
imagenet_head = partial(normalized_head, name="fc")
imagenet_block = partial(twice_connected_block, shortcut=projected_shortcut, gamma=TINY_GAMMA)


def resnet20(
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    pad_values: float = 0,
    **options,
) -> tf.keras.Model:
    """The ResNet-20 of ReCU: three stages of three blocks, 16, 32 and 64 channels.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    """
    stages = CIFAR_STAGES["resnet20_1w1a"]
    return network(
        input_shape,
        num_classes,
        stages,
        clipped_cifar_stem,
        twice_connected_block,
        cifar_head,
        pad_values,
        **options,
    )


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    num_classes: int = 10,
    pad_values: float = 0,
    stages: Stages = CIFAR_STAGES["resnet18_1w1a"],
    **options,
) -> tf.keras.Model:
    """The CIFAR ResNet-18 of ReCU: four stages of two blocks.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    `stages` are blocks and channels; the published variants A, B and C have fewer channels.
    """
    return network(
        input_shape,
        num_classes,
        stages,
        cifar_stem,
        once_connected_block,
        cifar_head,
        pad_values,
        **options,
    )


def imagenet_resnet18(
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    pad_values: float = 0,
    **options,
) -> tf.keras.Model:
    """The ImageNet ResNet-18 of ReCU: four stages of two blocks.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    """
    stages = IMAGENET_STAGES["resnet18_1w1a"]
    return network(
        input_shape,
        num_classes,
        stages,
        imagenet_stem,
        imagenet_block,
        imagenet_head,
        pad_values,
        **options,
    )


def imagenet_resnet34(
    input_shape: Sequence[int] = (224, 224, 3),
    num_classes: int = 1000,
    pad_values: float = 0,
    **options,
) -> tf.keras.Model:
    """The ImageNet ResNet-34 of ReCU: stages of three, four, six and three blocks.

    `input_shape`, `num_classes`, `pad_values`, the further `options` and what is returned are those
    of `recu_tf.models.network`.
    """
    stages = IMAGENET_STAGES["resnet34_1w1a"]
    return network(
        input_shape,
        num_classes,
        stages,
        imagenet_stem,
        imagenet_block,
        imagenet_head,
        pad_values,
        **options,
    )
