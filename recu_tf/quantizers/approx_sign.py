"""The sign of activations with ApproxSign's gradient on standardised values: function and class."""

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.standardized_sign import standardized_sign

__all__ = ["StandardizedApproxSign", "standardized_approx_sign"]


def _slope(values: tf.Tensor, scale: tf.Tensor, inverse_variance: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(2 * scale - tf.abs(values) * (2 * inverse_variance))


def standardized_approx_sign(activations: tf.Tensor) -> tf.Tensor:
    r"""Binarises activations as published; the gradient sees images of unit variance.

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
    return standardized_sign(activations, _slope)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class StandardizedApproxSign(lq.quantizers.Quantizer):
    """The activation quantizer of ReCU. Alias `"standardized_approx_sign"`.

    Forward and gradient are those of `standardized_approx_sign`. Shape: (batch, ...) to the same.
    """

    precision = 1

    def __init__(self, **kwargs):
        # Keras would cast activations to the policy's dtype before `call` sees them.
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises activations of shape (batch, ...), see `standardized_approx_sign`."""
        return standardized_approx_sign(inputs)
