"""Rewrites a padding SAME that pads nothing as VALID, which XNNPACK computes correctly.

Where strides are wider than the windows, the last window may end before the edge: windows of 3
pixels, a stride of 4 and an image of 16 leave one pixel. SAME then pads nothing. XNNPACK, which
runs the float convolutions of TensorFlow Lite and LiteRT, takes the difference for a padding and
reads other pixels (seen in TensorFlow 2.19; a window of 1x1 is right, and so are pools). VALID has
the same windows.
"""

import tensorflow as tf

from export.keras_graph.graph import Graph, Step
from export.keras_graph.windows import compute_extent, count_missing

__all__ = ["drop_empty_padding"]

# In a separable convolution the depthwise one has the strides.
KINDS = tf.keras.layers.Conv2D | tf.keras.layers.DepthwiseConv2D | tf.keras.layers.SeparableConv2D


def drop_empty_padding(graph: Graph) -> list[str]:
    """Rewrites each convolution whose SAME pads nothing and leaves pixels over.

    Returns:
        The names of the layers that were replaced.
    """
    found = []
    for step in graph.steps:
        if not graph.is_called_once(step) or not _leaves_pixels_over(step):
            continue
        layer = step.layer
        config = {**layer.get_config(), "padding": "valid"}
        step.set_layer(type(layer).from_config(config), step.weights)
        found.append(step.name)
    return found


def _leaves_pixels_over(step: Step) -> bool:
    layer = step.layer
    if (
        not isinstance(layer, KINDS)
        or isinstance(layer, tf.keras.layers.Conv2DTranspose)
        or (layer.padding, layer.data_format) != ("same", "channels_last")
        or None in step.input.shape[1:3]
    ):
        return False
    missing = [
        count_missing(size, compute_extent(kernel, dilation), stride)
        for size, kernel, stride, dilation in zip(
            step.input.shape[1:3],
            layer.kernel_size,
            layer.strides,
            layer.dilation_rate,
            strict=True,
        )
    ]
    return max(missing) <= 0 and min(missing) < 0 and tuple(layer.kernel_size) != (1, 1)
