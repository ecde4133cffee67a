"""The ResNets of ReCU, for small images and for ImageNet.

The stages are rows of a table; every kind of stem, block and head is a function. Layers have the
names of the published implementation's modules. Strided convolutions are plain SAME: the graph is
the published one rotated by 180 degrees, an equivalent network, which the converter compiles
correctly.
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from recu_tf import choices
from recu_tf.batch_norm import BatchNormalization
from recu_tf.layers import PadChannels, Subsample
from recu_tf.models.blocks import (
    add,
    average_pool,
    batch_norm,
    classifier,
    convolution,
    get_variable_dtype,
    hard_tanh,
    max_pool,
)
from recu_tf.models.network_options import NetworkOptions
from recu_tf.models.residual import Block, ResidualNetwork, Stem

__all__ = [
    "CIFAR_STAGES",
    "IMAGENET_STAGES",
    "imagenet_resnet18",
    "imagenet_resnet34",
    "resnet18",
    "resnet18a",
    "resnet18b",
    "resnet18c",
    "resnet20",
]

# Number of blocks and channels of each stage; all stages but the first halve the image.
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
# The initial gamma of all batch norms of the ImageNet ResNets but the head's: with it every block
# starts as the identity. Only signs read such small activations as well as any other.
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


def get_initial_gamma(options: NetworkOptions) -> float:
    """The initial gamma of the ImageNet ResNets.

    It is 1 where activations are real: what a tiny gamma leaves of them is lost in the epsilon of
    the next batch norm, 1e-8 times as large after each projection, and nothing could be learned.
    """
    return 1.0 if options.precision == choices.FLOAT else TINY_GAMMA


def projected_shortcut(
    x: tf.Tensor, filters: int, strides: int, name: str, gamma: float
) -> tf.Tensor:
    """The shortcut of the ImageNet ResNets: a 1x1 convolution if the shape changes."""
    if strides == 1 and filters == x.shape[-1]:
        return x
    if strides > 1:
        x = Subsample(strides, dtype=x.dtype.name, name=f"{name}.shortcut.subsample")(x)
    x = convolution(x, filters, 1, f"{name}.downsample.0", dtype=get_variable_dtype())
    return batch_norm(x, f"{name}.downsample.1", gamma)


def twice_connected_block(
    x: tf.Tensor,
    filters: int,
    strides: int,
    options: NetworkOptions,
    name: str,
    shortcut: Callable[[tf.Tensor, int, int, str], tf.Tensor] = pooled_shortcut,
    gamma: float = 1.0,
) -> tf.Tensor:
    """Two binary convolutions, each with a shortcut around it (ResNet-20)."""
    y = options.convolve(x, filters, strides, name=f"{name}.conv1")
    y = add(batch_norm(y, f"{name}.bn1", gamma), shortcut(x, filters, strides, name))
    y = hard_tanh(y, f"{name}.hard_tanh1")
    z = options.convolve(y, filters, name=f"{name}.conv2")
    return hard_tanh(add(batch_norm(z, f"{name}.bn2", gamma), y), f"{name}.hard_tanh2")


def once_connected_block(
    x: tf.Tensor, filters: int, strides: int, options: NetworkOptions, name: str
) -> tf.Tensor:
    """Two binary convolutions with one shortcut around both (CIFAR ResNet-18)."""
    y = options.convolve(x, filters, strides, name=f"{name}.conv1")
    y = hard_tanh(batch_norm(y, f"{name}.bn1"), f"{name}.hard_tanh1")
    z = options.convolve(y, filters, name=f"{name}.conv2")
    z = add(batch_norm(z, f"{name}.bn2"), pooled_shortcut(x, filters, strides, name))
    return hard_tanh(z, f"{name}.hard_tanh2")


def imagenet_block(
    x: tf.Tensor, filters: int, strides: int, options: NetworkOptions, name: str
) -> tf.Tensor:
    """Two binary convolutions, each with a shortcut around it, the first one's with weights."""
    gamma = get_initial_gamma(options)
    shortcut = partial(projected_shortcut, gamma=gamma)
    return twice_connected_block(x, filters, strides, options, name, shortcut, gamma)


def cifar_stem(x: tf.Tensor, filters: int, options: NetworkOptions) -> tf.Tensor:
    """The first convolution of the CIFAR ResNet-18."""
    return batch_norm(convolution(x, filters, 3, "conv1"), "bn1")


def clipped_cifar_stem(x: tf.Tensor, filters: int, options: NetworkOptions) -> tf.Tensor:
    """The first convolution of the ResNet-20, followed by a hard tanh."""
    return hard_tanh(cifar_stem(x, filters, options), "hard_tanh1")


def imagenet_stem(x: tf.Tensor, filters: int, options: NetworkOptions) -> tf.Tensor:
    """The first convolution of the ImageNet ResNets and their pooling: to a quarter of the size."""
    x = convolution(x, filters, 7, "conv1", strides=2)
    x = batch_norm(x, "bn1", get_initial_gamma(options))
    return max_pool(hard_tanh(x, "hard_tanh1"))


def normalized_head(x: tf.Tensor, num_classes: int, name: str) -> tf.Tensor:
    """Global average, batch normalisation, classifier."""
    # Pooled to (1, 1, C), not (C,): on rank 4, Keras has a fused batch norm.
    x = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, dtype=x.dtype.name, name="pool")(x)
    x = BatchNormalization(dtype=get_variable_dtype(), name="bn2")(x)
    return classifier(tf.keras.layers.Flatten(name="flatten")(x), num_classes, name)


cifar_head = partial(normalized_head, name="linear")
imagenet_head = partial(normalized_head, name="fc")


def _make_cifar_network(name: str, stem: Stem, block: Block) -> ResidualNetwork:
    return ResidualNetwork(
        CIFAR_STAGES[name], stem, block, cifar_head, input_shape=(32, 32, 3), num_classes=10
    )


def _make_imagenet_network(name: str) -> ResidualNetwork:
    return ResidualNetwork(
        IMAGENET_STAGES[name],
        imagenet_stem,
        imagenet_block,
        imagenet_head,
        input_shape=(224, 224, 3),
        num_classes=1000,
    )


resnet20 = _make_cifar_network("resnet20_1w1a", clipped_cifar_stem, twice_connected_block)
resnet18 = _make_cifar_network("resnet18_1w1a", cifar_stem, once_connected_block)
resnet18a = _make_cifar_network("resnet18A_1w1a", cifar_stem, once_connected_block)
resnet18b = _make_cifar_network("resnet18B_1w1a", cifar_stem, once_connected_block)
resnet18c = _make_cifar_network("resnet18C_1w1a", cifar_stem, once_connected_block)
imagenet_resnet18 = _make_imagenet_network("resnet18_1w1a")
imagenet_resnet34 = _make_imagenet_network("resnet34_1w1a")
