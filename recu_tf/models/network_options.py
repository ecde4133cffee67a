"""What the caller of a published network chooses for all of its binary convolutions."""

from dataclasses import dataclass

import tensorflow as tf

from recu_tf import choices
from recu_tf.layers import binary_conv2d
from recu_tf.quantizers import StandardizedSteSign

__all__ = ["NetworkOptions", "get_input_quantizer", "get_precision"]


@dataclass(frozen=True)
class NetworkOptions:
    """The options of all binary convolutions of a network.

    Attributes:
        pad_values: with what binary activations are padded, 0 or 1.
        precision: one of `recu_tf.choices.NETWORK_PRECISIONS`.
        input_quantizer: one of `recu_tf.choices.INPUT_QUANTIZERS`.
    """

    pad_values: float = 0
    precision: str = choices.BINARY
    input_quantizer: str = choices.APPROX_SIGN

    def convolve(
        self,
        x: tf.Tensor,
        filters: int,
        strides: int = 1,
        *,
        name: str,
        kernel_initializer: tf.keras.initializers.Initializer | None = None,
    ) -> tf.Tensor:
        """Applies `recu_tf.layers.binary_conv2d` with these options."""
        return binary_conv2d(
            x,
            filters,
            strides,
            kernel_initializer=kernel_initializer,
            pad_values=self.pad_values,
            precision=self.precision,
            input_quantizer=self.input_quantizer,
            name=name,
        )


def get_precision(network: tf.keras.Model) -> str:
    """The precision that a published network was built in.

    Args:
        network: from `recu_tf.models.build`, also after loading it from a file.

    Returns:
        One of `recu_tf.choices.NETWORK_PRECISIONS`; "float" for any network without quantizers.
    """

    def has_any(quantizer: str) -> bool:
        return any(getattr(layer, quantizer, None) is not None for layer in network.layers)

    if has_any("kernel_quantizer"):
        return choices.BINARY
    return choices.BINARY_ACTIVATIONS if has_any("input_quantizer") else choices.FLOAT


def get_input_quantizer(network: tf.keras.Model) -> str:
    """The quantizer of activations that a published network was built with.

    Args:
        network: from `build`, also after loading it from a file.

    Returns:
        One of `recu_tf.choices.INPUT_QUANTIZERS`; the published one for a network without any.
    """
    quantizers = [getattr(layer, "input_quantizer", None) for layer in network.layers]
    has_ste = any(isinstance(quantizer, StandardizedSteSign) for quantizer in quantizers)
    return choices.STE_SIGN if has_ste else choices.APPROX_SIGN
