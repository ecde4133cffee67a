"""The sign of activations with ApproxSign's gradient on standardised values: function and class."""

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.statistics import (
    EPSILON,
    check_floating,
    statistics_dtype,
    wait_for_upstream,
)

__all__ = ["StandardizedApproxSign", "standardized_approx_sign"]


def _dot_rows(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The scalar product of each pair of rows, (rows, n) and (rows, n) to (rows, 1)."""
    return tf.reduce_sum(a * b, axis=1, keepdims=True)


def standardized_approx_sign(activations: tf.Tensor) -> tf.Tensor:
    r"""Binarises activations; the gradient sees them scaled to unit variance per image.

    Forward:
    \[ q(a) = \mathrm{sign}(a) \]

    Backward, with \(v\) the unbiased variance of an image (over all axes but the first) plus
    epsilon, \(M\) its number of values, \(u = a / \sqrt{v}\), and
    \(g' = g \cdot \max(0, 2 - 2|u|)\) (ApproxSign):
    \[ \frac{\partial L}{\partial a} = \frac{1}{\sqrt{v}}
       \left( g' - (a - \bar a)\,\frac{\sum g' a}{(M-1)\,v} \right) \]

    Args:
        activations: (batch, ...), rank 2 or more, float16, bfloat16, float32 or float64.

    Returns:
        A tensor of -1 and +1 with the shape and dtype of the activations.

    Raises:
        ValueError: the dtype is not floating, an image has a single value, or the rank is below 2.
    """
    activations = tf.convert_to_tensor(activations)
    check_floating("activations", activations)
    shape = activations.shape
    if shape.rank is None or shape.rank < 2 or shape[1:].num_elements() == 1:
        raise ValueError(
            "`activations` must have shape (batch, ...) with at least 2 values per image (a single "
            f"value has no variance), got shape {shape}."
        )
    dtype = statistics_dtype(activations.dtype)

    @tf.custom_gradient
    def binarize(activations):
        @wait_for_upstream
        def gradient(upstream):
            # Written for few passes over memory; a row per image.
            values = tf.reshape(tf.cast(activations, dtype), [tf.shape(activations)[0], -1])
            upstream = tf.reshape(tf.cast(upstream, dtype), tf.shape(values))
            freedom = tf.cast(tf.shape(values)[1] - 1, dtype)
            centred = values - tf.reduce_mean(values, axis=1, keepdims=True)
            inverse_variance = 1 / (_dot_rows(centred, centred) / freedom + EPSILON)
            scale = tf.sqrt(inverse_variance)
            # The slope of ApproxSign, already divided by the deviation.
            slope = tf.nn.relu(2 * scale - tf.abs(values) * (2 * inverse_variance))
            upstream = upstream * slope
            through_variance = inverse_variance * _dot_rows(upstream, values) / freedom
            result = upstream - centred * through_variance
            return tf.cast(tf.reshape(result, tf.shape(activations)), activations.dtype)

        return lq.math.sign(activations), gradient

    return binarize(activations)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class StandardizedApproxSign(lq.quantizers.Quantizer):
    """The activation quantizer of ReCU. Alias `"standardized_approx_sign"`.

    Forward and gradient are those of `standardized_approx_sign`.
    """

    precision = 1

    def __init__(self, **kwargs):
        # Keras would cast activations to the policy's dtype before `call` sees them.
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises activations of shape (batch, ...), see `standardized_approx_sign`."""
        return standardized_approx_sign(inputs)
