"""Puts the numbers that kernel quantizers give in the place of the latent weights."""

import larq as lq
import numpy as np
import tensorflow as tf

from export.rewriting.graph import Changes, Layer

__all__ = ["freeze_kernels", "quantized_kernel"]


def quantized_kernel(layer: Layer) -> np.ndarray:
    """What a layer's `kernel_quantizer` makes of its `kernel`, in inference.

    Args:
        layer: a built Larq layer with both.

    Returns:
        The kernel, of the shape and type of the latent one.
    """
    latent = getattr(layer.kernel, "latent_variable", layer.kernel)
    return layer.kernel_quantizer(tf.convert_to_tensor(latent)).numpy()


def _single_kernel(layer: Layer) -> bool:
    """Whether a layer has one quantized kernel, and nothing else that is quantized, as weights."""
    return (
        isinstance(layer, lq.layers.QuantConv2D | lq.layers.QuantDense)
        and layer.kernel_quantizer is not None
    )


def freeze_kernels(model: tf.keras.Model) -> Changes:
    """Freezes the kernels of convolutions and dense layers as they are quantized now.

    The converter then need not work them out, which takes half the time of a conversion, and a
    kernel that depends on more than its latent weights cannot change under way.
    """
    changes = Changes()
    for layer in filter(_single_kernel, model.layers):
        config = layer.get_config()
        config["kernel_quantizer"] = None
        weights = [quantized_kernel(layer)]
        if layer.use_bias:
            weights.append(layer.bias.numpy())
        changes.replace(layer, type(layer).from_config(config), weights)
    return changes
