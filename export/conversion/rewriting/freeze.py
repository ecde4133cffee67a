"""Puts the numbers that kernel quantizers give in the place of the latent weights."""

import larq as lq
import tensorflow as tf

from export.keras_graph.binary_layers import quantized_kernel
from export.keras_graph.clone import Changes, Layer

__all__ = ["freeze_kernels"]


def _single_kernel(layer: Layer) -> bool:
    """Whether a layer has one quantized kernel, and nothing else that is quantized, as weights."""
    return (
        isinstance(layer, lq.layers.QuantConv2D | lq.layers.QuantDense)
        and layer.kernel_quantizer is not None
        and not isinstance(layer.kernel_quantizer, lq.quantizers.NoOp)
    )


def freeze_kernels(model: tf.keras.Model) -> Changes:
    """Freezes the kernels of convolutions and dense layers as they are quantized now.

    The converter then need not work them out, which takes half the time of a conversion, and a
    kernel that depends on more than its latent weights cannot change under way.
    """
    changes = Changes()
    for layer in filter(_single_kernel, model.layers):
        config = layer.get_config()
        # It still says of how many bits the kernel is.
        bits = getattr(layer.kernel_quantizer, "precision", None)
        config["kernel_quantizer"] = bits and lq.quantizers.NoOp(precision=bits)
        weights = [quantized_kernel(layer)]
        if layer.use_bias:
            weights.append(layer.bias.numpy())
        changes.replace(layer, type(layer).from_config(config), weights)
    return changes
