"""The layers that the published networks share, applied with the published options.

Layers without weights, and additions, keep the dtype of their input: under mixed precision the
activations stay in float32 wherever a network needs it.
"""

import tensorflow as tf

from recu_tf.batch_norm import BatchNormalization
from recu_tf.layers import HardTanh, kaiming_normal

__all__ = [
    "add",
    "average_pool",
    "batch_norm",
    "classifier",
    "convolution",
    "get_variable_dtype",
    "hard_tanh",
    "max_pool",
]


def get_variable_dtype() -> str:
    """The dtype of weights under the current policy: float32 under mixed precision."""
    return tf.keras.mixed_precision.global_policy().variable_dtype


def batch_norm(x: tf.Tensor, name: str, gamma: float = 1.0) -> tf.Tensor:
    """Batch normalisation, in the weights' dtype if its outputs start too small for float16."""
    return BatchNormalization(
        gamma_initializer=tf.keras.initializers.Constant(gamma),
        dtype=get_variable_dtype() if gamma < 1 else None,
        name=name,
    )(x)


def hard_tanh(x: tf.Tensor, name: str) -> tf.Tensor:
    """The hard tanh, in the dtype of its input."""
    return HardTanh(dtype=x.dtype.name, name=name)(x)


def add(*terms: tf.Tensor) -> tf.Tensor:
    """The sum, in the dtype of the first term."""
    return tf.keras.layers.Add(dtype=terms[0].dtype.name)(list(terms))


def convolution(
    x: tf.Tensor,
    filters: int,
    size: int,
    name: str,
    *,
    strides: int = 1,
    initializer: tf.keras.initializers.Initializer | None = None,
    dtype: str | None = None,
) -> tf.Tensor:
    """A real-valued convolution with SAME padding and without bias."""
    return tf.keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer or kaiming_normal(),
        dtype=dtype,
        name=name,
    )(x)


def classifier(x: tf.Tensor, num_classes: int, name: str) -> tf.Tensor:
    """The last layer: logits in the dtype of the weights; initially uniform in +-1/sqrt(fan_in)."""
    limit = x.shape[-1] ** -0.5
    return tf.keras.layers.Dense(
        num_classes,
        kernel_initializer=tf.keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=tf.keras.initializers.RandomUniform(-limit, limit),
        dtype=get_variable_dtype(),
        name=name,
    )(x)


def average_pool(x: tf.Tensor, strides: int, name: str) -> tf.Tensor:
    """The average pooling of a shortcut with a stride."""
    return tf.keras.layers.AveragePooling2D(
        strides, strides, padding="same", dtype=x.dtype.name, name=f"{name}.shortcut.pool"
    )(x)


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """The max-pooling at the end of an ImageNet stem."""
    return tf.keras.layers.MaxPooling2D(3, 2, padding="same", dtype=x.dtype.name, name="maxpool")(x)
