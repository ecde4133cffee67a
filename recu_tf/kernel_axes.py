"""Where the output filters of a Larq layer's kernel lie, told by the layer that has the kernel."""

import larq as lq
import tensorflow as tf
from tf_keras.src.engine import base_layer_utils

__all__ = ["calling_layer", "filter_axis", "is_filter_axis", "kernel_quantizers"]

KERNEL_QUANTIZERS = ("kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")

# Layers whose kernels do not have their filters on the last axis.
DEPTHWISE = (
    lq.layers.QuantDepthwiseConv2D,
    lq.layers.QuantSeparableConv1D,
    lq.layers.QuantSeparableConv2D,
)
TRANSPOSED = (lq.layers.QuantConv2DTranspose, lq.layers.QuantConv3DTranspose)


def calling_layer() -> tf.keras.layers.Layer | None:
    """The layer whose `call` Keras runs at the moment, on this thread; None outside of any."""
    return base_layer_utils.call_context().layer


def kernel_quantizers(layer: tf.Module) -> dict[str, object]:
    """The kernel quantizers of a layer by the names of its arguments; of others than Larq's none.

    Args:
        layer: any module.
    """
    found = {name: getattr(layer, name, None) for name in KERNEL_QUANTIZERS}
    return {name: quantizer for name, quantizer in found.items() if quantizer is not None}


def filter_axis(layer: tf.keras.layers.Layer, argument: str) -> int | tuple[int, ...]:
    """The axis or axes of a kernel that count output filters.

    Args:
        layer: that has the kernel.
        argument: the name of the quantizer's argument, of `kernel_quantizers`.
    """
    if argument == "depthwise_quantizer" and isinstance(layer, DEPTHWISE):
        return (-2, -1)
    if argument == "kernel_quantizer" and isinstance(layer, TRANSPOSED):
        return -2
    return -1


def is_filter_axis(
    layer: tf.keras.layers.Layer, argument: str, axis: int | tuple[int, ...]
) -> bool:
    """Whether an axis is that of the filters; of layers that have them on the last, any is taken.

    Args:
        layer: as for `filter_axis`.
        argument: likewise.
        axis: of the kernel, counted from either end.
    """
    right = filter_axis(layer, argument)
    if right == -1:
        return True
    rank = layer.rank + 2
    given, wanted = (
        {number % rank for number in ((axes,) if isinstance(axes, int) else axes)}
        for axes in (axis, right)
    )
    return given == wanted
