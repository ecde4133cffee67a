"""What the published networks are put together from, and the frame of the residual ones.

Layers without weights, and additions, take the type of their input: under mixed precision the
activations stay in float32 wherever a network needs it.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from recu_tf.batch_norm import BatchNormalization
from recu_tf.layers import HardTanh, Rotate180

Stages = Sequence[tuple[int, int]]
Stem = Callable[[tf.Tensor, int], tf.Tensor]
Block = Callable[[tf.Tensor, int, int, float, str], tf.Tensor]
Head = Callable[[tf.Tensor, int], tf.Tensor]


def full_precision() -> str:
    """The type of the weights under the policy in force: float32 under mixed precision."""
    return tf.keras.mixed_precision.global_policy().variable_dtype


def batch_norm(x: tf.Tensor, name: str, gamma: float = 1.0) -> tf.Tensor:
    """Batch normalisation, in full precision where its outputs start too small for float16."""
    return BatchNormalization(
        gamma_initializer=tf.keras.initializers.Constant(gamma),
        dtype=full_precision() if gamma < 1 else None,
        name=name,
    )(x)


def hard_tanh(x: tf.Tensor, name: str) -> tf.Tensor:
    """The hard tanh, in the type of its input."""
    return HardTanh(dtype=x.dtype.name, name=name)(x)


def add(*terms: tf.Tensor) -> tf.Tensor:
    """The sum, in the type of the first term."""
    return tf.keras.layers.Add(dtype=terms[0].dtype.name)(list(terms))


def normal_fan_in() -> tf.keras.initializers.Initializer:
    """The published initializer of the ResNets' convolutions."""
    return tf.keras.initializers.VarianceScaling(2, "fan_in", "untruncated_normal")


def convolution(
    x: tf.Tensor,
    filters: int,
    size: int,
    name: str,
    strides: int = 1,
    initializer: tf.keras.initializers.Initializer | None = None,
    dtype: str | None = None,
) -> tf.Tensor:
    """A convolution in real numbers without bias."""
    return tf.keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer or normal_fan_in(),
        dtype=dtype,
        name=name,
    )(x)


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


def average_pool(x: tf.Tensor, strides: int, name: str) -> tf.Tensor:
    """Average pooling over the strides."""
    return tf.keras.layers.AveragePooling2D(
        strides, strides, padding="same", dtype=x.dtype.name, name=f"{name}.shortcut.pool"
    )(x)


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """The pooling behind an ImageNet stem."""
    return tf.keras.layers.MaxPooling2D(3, 2, padding="same", dtype=x.dtype.name, name="maxpool")(x)


def network(
    input_shape: Sequence[int],
    num_classes: int,
    stages: Stages,
    stem: Stem,
    block: Block,
    head: Head,
    pad_values: float = 0,
    rotated: bool = False,
    name: str | None = None,
) -> tf.keras.Model:
    """A residual network from its table.

    Args:
        input_shape: (height, width, channels) of the normalised images.
        num_classes: number of logits.
        stages: blocks and channels of each.
        stem: makes the input of the first block from the images and a number of channels.
        block: makes a block from its input, channels, strides, `pad_values` and name.
        head: makes the logits from the last features and their number.
        pad_values: what binary activations are padded with, 0 as published or 1; see
            `recu_tf.layers.binary_conv2d`.
        rotated: whether to turn the images by 180 degrees first, as weights from PyTorch need.
        name: of the model.

    Returns:
        An uncompiled model from (batch, height, width, channels) to logits (batch, num_classes).
    """
    inputs = tf.keras.Input(input_shape, name="image")
    x = Rotate180(name="rotate180")(inputs) if rotated else inputs
    x = stem(x, stages[0][1])
    for stage, (blocks, filters) in enumerate(stages, start=1):
        for index in range(blocks):
            strides = 2 if stage > 1 and index == 0 else 1
            x = block(x, filters, strides, pad_values, f"layer{stage}.{index}")
    return tf.keras.Model(inputs, head(x, num_classes), name=name)
