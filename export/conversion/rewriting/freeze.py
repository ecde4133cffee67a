"""Replaces latent weights by the quantized kernels."""

import larq as lq

from export.keras_graph.binary_layers import compute_quantized_kernel
from export.keras_graph.graph import Graph, Layer

__all__ = ["freeze_kernels"]


def _has_one_quantized_kernel(layer: Layer) -> bool:
    """Whether a layer's only quantized weight is one kernel."""
    return (
        isinstance(layer, lq.layers.QuantConv2D | lq.layers.QuantDense)
        and layer.kernel_quantizer is not None
        and not isinstance(layer.kernel_quantizer, lq.quantizers.NoOp)
    )


def freeze_kernels(graph: Graph) -> list[str]:
    """Freezes the kernels of convolutions and dense layers as they are quantized now.

    The converter then need not compute them, which takes half the time of a conversion, and a
    kernel that depends on more than its latent weights cannot change meanwhile.

    Returns:
        The names of the layers that were replaced.
    """
    layers = list(dict.fromkeys(step.layer for step in graph.steps))
    found = list(filter(_has_one_quantized_kernel, layers))
    for layer in found:
        config = layer.get_config()
        # Its precision still states how many bits the kernel has.
        bits = getattr(layer.kernel_quantizer, "precision", None)
        config["kernel_quantizer"] = bits and lq.quantizers.NoOp(precision=bits)
        weights = [compute_quantized_kernel(layer)]
        if layer.use_bias:
            weights.append(layer.bias.numpy())
        graph.replace(layer, type(layer).from_config(config), weights)
    return [layer.name for layer in found]
