"""Which axes of a Larq layer's kernels index output filters."""

import larq as lq
import tensorflow as tf
from tf_keras.src.engine import base_layer_utils

__all__ = [
    "KERNELS",
    "KERNEL_QUANTIZERS",
    "accepts_axis",
    "find_filter_axis",
    "find_kernel_quantizers",
    "get_calling_layer",
]

# The attributes in which Larq's layers keep their quantizers, and the kernels these quantize.
KERNELS = {
    "kernel_quantizer": "kernel",
    "depthwise_quantizer": "depthwise_kernel",
    "pointwise_quantizer": "pointwise_kernel",
}
KERNEL_QUANTIZERS = tuple(KERNELS)

# Layers whose kernels do not have their filters on the last axis.
DEPTHWISE = (
    lq.layers.QuantDepthwiseConv2D,
    lq.layers.QuantSeparableConv1D,
    lq.layers.QuantSeparableConv2D,
)
TRANSPOSED = (lq.layers.QuantConv2DTranspose, lq.layers.QuantConv3DTranspose)


def get_calling_layer() -> tf.keras.layers.Layer | None:
    """The layer whose `call` Keras is running on this thread; None outside of any layer."""
    return base_layer_utils.call_context().layer


def find_kernel_quantizers(layer: tf.Module) -> dict[str, object]:
    """The kernel quantizers of a Larq layer by the names of its arguments; empty for other modules.

    Args:
        layer: any module.
    """
    found = {name: getattr(layer, name, None) for name in KERNEL_QUANTIZERS}
    return {name: quantizer for name, quantizer in found.items() if quantizer is not None}


def find_filter_axis(layer: tf.keras.layers.Layer, argument: str) -> int | tuple[int, ...]:
    """The axis or axes of a kernel that index output filters.

    Args:
        layer: the layer that has the kernel.
        argument: the name of the quantizer's argument, a key of `find_kernel_quantizers`.
    """
    if argument == "depthwise_quantizer" and isinstance(layer, DEPTHWISE):
        return (-2, -1)
    if argument == "kernel_quantizer" and isinstance(layer, TRANSPOSED):
        return -2
    return -1


def accepts_axis(layer: tf.keras.layers.Layer, argument: str, axis: int | tuple[int, ...]) -> bool:
    """Whether `ReCU` may have an axis: of kernels with filters last any, else that of the filters.

    Args:
        layer: as for `find_filter_axis`.
        argument: as for `find_filter_axis`.
        axis: the axis or axes of the kernel, counted from either end.
    """
    right = find_filter_axis(layer, argument)
    if right == -1:
        return True
    rank = layer.rank + 2
    given, expected = (
        {number % rank for number in ((axes,) if isinstance(axes, int) else axes)}
        for axes in (axis, right)
    )
    return given == expected
