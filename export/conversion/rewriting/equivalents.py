"""The binary convolution that computes what a dense, one-dimensional or separable layer does.

Larq Compute Engine has no operator for these layers. A dense layer is a convolution of one pixel, a
one-dimensional convolution one of a kernel and an image that are one pixel high. A separable
convolution whose two kernels are bits is an ordinary convolution of their products, which are bits
too; its pointwise half alone is not binary, because it reads sums.
"""

import larq as lq
import numpy as np

from export.keras_graph.binary_layers import compute_joint_filters
from export.keras_graph.building import copy_layer
from export.keras_graph.graph import Layer
from export.keras_graph.kernel_faults import find_group_faults, find_kernel_faults, find_pad_faults

__all__ = ["find_obstacle", "has_equivalent", "make_equivalent"]

ONE_DIMENSIONAL = (lq.layers.QuantConv1D, lq.layers.QuantSeparableConv1D)
SEPARABLE = (lq.layers.QuantSeparableConv1D, lq.layers.QuantSeparableConv2D)
KINDS = (lq.layers.QuantDense, *ONE_DIMENSIONAL, *SEPARABLE)
# What the delegate counts in a window, see DELEGATE.md.
MOST_BITS = 65_535
# A weight of a pointwise kernel takes 32 bits. The convolution has as many bits in its place as the
# depthwise kernel has pixels, and computes with each: from 5 x 5 on, it would hardly be smaller.
MOST_PIXELS = 16


def has_equivalent(layer: Layer) -> bool:
    """Whether a layer is of a kind that a two-dimensional convolution can stand for."""
    # A subclass may compute something else.
    return type(layer) in KINDS


def find_obstacle(layer: Layer) -> str | None:
    """Says why no binary convolution can stand for a layer.

    Args:
        layer: one that has an equivalent, built.

    Returns:
        The reasons, one sentence after another; None where there is none in the layer itself.
    """
    found = []
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        found.append("its data format is channels_first; use channels_last.")
    if getattr(layer, "padding", "") == "same":
        found += find_pad_faults(layer)
    if isinstance(layer, SEPARABLE):
        found += _find_obstacles_of_separable(layer)
    if found:
        return " ".join(found)
    found += find_kernel_faults(layer)
    filters = compute_joint_filters(layer)
    bits = filters[0].size
    if bits > MOST_BITS:
        found.append(
            f"each of its outputs depends on {bits:,} inputs; a binary convolution counts at most "
            f"{MOST_BITS:,}."
        )
    found += find_group_faults(filters.shape[-1], getattr(layer, "groups", 1))
    return " ".join(found) or None


def _find_obstacles_of_separable(layer: Layer) -> list[str]:
    if any(getattr(quantizer, "precision", None) != 1 for quantizer in _get_both(layer)):
        return [
            "its pointwise half reads what its depthwise half gives, which is not -1 and 1; both "
            "need a quantizer of one bit, so that the two together are a binary convolution."
        ]
    pixels = layer.depthwise_kernel.shape[:-2].num_elements()
    if pixels > MOST_PIXELS:
        return [
            "its pointwise half reads sums; as one binary convolution, the two halves would take "
            f"{pixels} bits in the place of each weight, of which up to {MOST_PIXELS} are worth it."
        ]
    return []


def _get_both(layer: Layer) -> tuple:
    return layer.depthwise_quantizer, layer.pointwise_quantizer


def make_equivalent(
    layer: Layer, quantizer: Layer, size: tuple[int, int] = (1, 1)
) -> tuple[Layer, list[np.ndarray], int]:
    """Makes the convolution that stands for a layer.

    Args:
        layer: without an obstacle.
        quantizer: of the input.
        size: of a dense layer behind a flattened map: the height and width of that map, which
            becomes the kernel's.

    Returns:
        The convolution, of the layer's name and with a frozen kernel, which pads nothing if the
        layer is causal; its weights; and how many times it reads all input channels.
    """
    filters = compute_joint_filters(layer)
    if isinstance(layer, lq.layers.QuantDense):
        filters = filters.reshape(len(filters), *size, -1)
    flat = isinstance(layer, ONE_DIMENSIONAL)
    options = {
        name: (1, *getattr(layer, name)) if flat else getattr(layer, name)
        for name in ("strides", "dilation_rate")
        if hasattr(layer, name)
    }
    if isinstance(layer, lq.layers.QuantSeparableConv1D):
        # As TensorFlow does: by its strides, too, the file's convolution is matched with it.
        options["strides"] = layer.strides * 2
    padding = getattr(layer, "padding", "valid")
    convolution = lq.layers.QuantConv2D(
        len(filters),
        filters.shape[1:3],
        padding="valid" if padding == "causal" else padding,
        pad_values=getattr(layer, "pad_values", 0),
        data_format="channels_last",
        groups=getattr(layer, "groups", 1),
        activation=layer.activation,
        use_bias=layer.use_bias,
        input_quantizer=copy_layer(quantizer) if isinstance(quantizer, Layer) else quantizer,
        kernel_quantizer=lq.quantizers.NoOp(precision=1),
        name=layer.name,
        **options,
    )
    bias = [layer.bias.numpy()] if layer.use_bias else []
    multiplier = getattr(layer, "depth_multiplier", 1)
    return convolution, [filters.transpose(1, 2, 3, 0), *bias], multiplier
