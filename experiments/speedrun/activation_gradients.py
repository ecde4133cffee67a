"""Gradients for the sign of activations: shapes and widths, with or without standardisation."""

from collections.abc import Callable

import larq as lq
import tensorflow as tf

from recu_tf.quantizers.standardized_sign import standardized_sign

__all__ = ["SLOPES", "SignWithSlope"]


def _tent(x: tf.Tensor, width: float) -> tf.Tensor:
    """ApproxSign's triangle, 2 at 0, on [-width, width]."""
    return tf.nn.relu(2 - tf.abs(x) * (2 / width))


def _box(x: tf.Tensor, width: float) -> tf.Tensor:
    """The straight-through estimator: 1 on [-width, width]."""
    return tf.cast(tf.abs(x) < width, x.dtype)


def _all(x: tf.Tensor, width: float) -> tf.Tensor:
    """1 everywhere."""
    return tf.ones_like(x)


def _power(x: tf.Tensor, width: float) -> tf.Tensor:
    """ReSTE's (Wu et al., ICCV 2023), power 3: |x|^(-2/3) / 3, at most 2, on [-width, width]."""
    return tf.where(
        tf.abs(x) < width, tf.minimum(tf.pow(tf.abs(x) + 1e-6, -2 / 3) / 3, 2.0), tf.zeros_like(x)
    )


def _bell(x: tf.Tensor, width: float) -> tf.Tensor:
    """A bell, 1 at 0: the derivative of width * tanh(x / width)."""
    return 1 - tf.square(tf.tanh(x / width))


def _trapezoid(x: tf.Tensor, width: float) -> tf.Tensor:
    """1 on [-width, width], falling to 0 at twice the width."""
    return tf.clip_by_value(2 - tf.abs(x) / width, 0, 1)


SLOPES: dict[str, Callable] = {
    "tent": _tent,
    "box": _box,
    "all": _all,
    "power": _power,
    "bell": _bell,
    "trapezoid": _trapezoid,
}


class SignWithSlope(lq.quantizers.Quantizer):
    """The sign of activations, whose gradient has one of `SLOPES`.

    Args:
        slope: name of one.
        width: of it, or what returns the width when it is called.
        standardized: whether it sees activations divided by their standard deviation per image.
    """

    precision = 1

    def __init__(
        self,
        slope: str,
        width: float | Callable[[], tf.Tensor],
        standardized: bool,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.slope, self.width, self.standardized = slope, width, standardized

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Binarises activations of shape (batch, height, width, channels)."""
        shape = SLOPES[self.slope]
        width = self.width() if callable(self.width) else self.width
        if self.standardized:
            return standardized_sign(
                inputs, lambda values, scale, _: shape(values * scale, width) * scale
            )

        @tf.custom_gradient
        def binarize(activations):
            def gradient(upstream):
                return upstream * shape(activations, width)

            return lq.math.sign(activations), gradient

        return binarize(inputs)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        own = {"slope": self.slope, "width": self.width, "standardized": self.standardized}
        return {**super().get_config(), **own}
