"""The sign of activations, straight through on standardised values: function and class."""

import math

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.standardized_sign import standardized_sign

__all__ = ["CLIP_VALUE", "StandardizedSteSign", "standardized_ste_sign"]

CLIP_VALUE = 1.5  # standard deviations


def _check_clip_value(clip_value: float) -> None:
    number = isinstance(clip_value, int | float) and not isinstance(clip_value, bool)
    if not (number and clip_value > 0 and not math.isnan(clip_value)):
        raise ValueError(f"`clip_value` must be a number above 0, got {clip_value!r}.")


def standardized_ste_sign(activations: tf.Tensor, clip_value: float = CLIP_VALUE) -> tf.Tensor:
    r"""Binarises activations; the gradient passes straight through within a few deviations.

    Forward:
    \[ q(a) = \mathrm{sign}(a) \]

    Backward, with \(v\) the unbiased variance of an image (over all axes but the first) plus
    epsilon, \(M\) its number of values, \(u = a / \sqrt{v}\), \(c\) the clip value, and
    \(g' = g \cdot [\,|u| \le c\,]\):
    \[ \frac{\partial L}{\partial a} = \frac{1}{\sqrt{v}}
       \left( g' - (a - \bar a)\,\frac{\sum g' a}{(M-1)\,v} \right) \]

    It is the straight-through estimator (Hubara et al., NeurIPS 2016, https://arxiv.org/abs/1602.02830)
    on ReCU's standardised activations, and Larq's `SteSign` but for the standardisation.

    Args:
        activations: (batch, ...), rank 2 or more, float16, bfloat16, float32 or float64.
        clip_value: where the gradient ends, in standard deviations of an image; above 0. Infinity
            lets all of it pass.

    Returns:
        A tensor of -1 and +1 with the shape and dtype of the activations.

    Raises:
        ValueError: the dtype is not floating, an image has a single value, the rank is below 2, or
            `clip_value` is not above 0.
    """
    _check_clip_value(clip_value)

    def compute_slope(values, scale, inverse_variance):
        return tf.where(tf.abs(values) * scale <= clip_value, scale, tf.zeros_like(scale))

    return standardized_sign(activations, compute_slope)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class StandardizedSteSign(lq.quantizers.Quantizer):
    """The activation quantizer of the fast recipes. Alias `"standardized_ste_sign"`.

    Forward and gradient are those of `standardized_ste_sign`. Shape: (batch, ...) to the same.

    Args:
        clip_value: where the gradient ends, in standard deviations of an image; above 0.

    Raises:
        ValueError: `clip_value` is not above 0.
    """

    precision = 1

    def __init__(self, clip_value: float = CLIP_VALUE, **kwargs):
        _check_clip_value(clip_value)
        # Keras would cast activations to the policy's dtype before `call` sees them.
        super().__init__(autocast=False, **kwargs)
        self.clip_value = clip_value

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises activations of shape (batch, ...), see `standardized_ste_sign`."""
        return standardized_ste_sign(inputs, self.clip_value)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "clip_value": self.clip_value}
