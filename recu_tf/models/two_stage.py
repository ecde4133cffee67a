"""The two-stage ResNets of ReCU: blocks of a binary convolution between learned biases.

"Two-stage" describes their training (first binary activations with real-valued weights, then both
binary), not their structure.
"""

import tensorflow as tf

from recu_tf.layers import LearnableBias
from recu_tf.models.blocks import (
    add,
    average_pool,
    batch_norm,
    classifier,
    convolution,
    max_pool,
)
from recu_tf.models.network_options import NetworkOptions
from recu_tf.models.residual import ResidualNetwork

__all__ = ["STAGES", "two_stage_resnet18", "two_stage_resnet34"]

# Number of blocks and channels of each stage; all stages but the first halve the image.
STAGES = {
    "two_stage_resnet18_1w1a": ((4, 64), (4, 128), (4, 256), (4, 512)),
    "two_stage_resnet34_1w1a": ((6, 64), (8, 128), (12, 256), (6, 512)),
}


def torch_uniform() -> tf.keras.initializers.Initializer:
    """PyTorch's default for convolutions: uniform in +-1/sqrt(fan_in)."""
    return tf.keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def stem(x: tf.Tensor, filters: int, options: NetworkOptions) -> tf.Tensor:
    """The first convolution and its pooling: to a quarter of the size."""
    x = convolution(x, filters, 7, "conv", strides=2, initializer=torch_uniform())
    return max_pool(batch_norm(x, "bn"))


def pooled_projection(x: tf.Tensor, filters: int, strides: int, name: str) -> tf.Tensor:
    """The shortcut: average pooling for the stride, then a 1x1 convolution if the shape changes."""
    if strides == 1 and filters == x.shape[-1]:
        return x
    if strides > 1:
        x = average_pool(x, strides, name)
    x = convolution(x, filters, 1, f"{name}.downsample.1", initializer=torch_uniform())
    return batch_norm(x, f"{name}.downsample.2")


def biased_block(
    x: tf.Tensor, filters: int, strides: int, options: NetworkOptions, name: str
) -> tf.Tensor:
    """A binary convolution with a shortcut; learned biases before it and around a PReLU."""
    y = LearnableBias(name=f"{name}.move0")(x)
    y = options.convolve(
        y, filters, strides, kernel_initializer=torch_uniform(), name=f"{name}.conv"
    )
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


def _make_network(name: str) -> ResidualNetwork:
    return ResidualNetwork(
        STAGES[name], stem, biased_block, head, input_shape=(224, 224, 3), num_classes=1000
    )


two_stage_resnet18 = _make_network("two_stage_resnet18_1w1a")
two_stage_resnet34 = _make_network("two_stage_resnet34_1w1a")
