"""Rewrites a padding before a strided convolution so that the converter keeps its meaning.

Larq Compute Engine's converter mistakes an explicit padding that is the same on both sides for the
padding SAME. With strides, SAME pads less in front if the size is even, and each window then reads
other pixels. Two forms are exact:

- Pad behind only as far as the last window reads, or one row or column more. That padding is not
  the same on both sides, so the converter leaves it alone, but the convolution cannot be binary.
- Rotate image and kernel by 180 degrees: then SAME is the padding wanted. A binary convolution
  stays binary between two layers that rotate, if the sign comes after the first of them.
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.conversion.rewriting.layer_of_layers import LayerOfLayers
from export.keras_graph.building import copy_layer
from export.keras_graph.graph import Graph, Layer, Step
from export.keras_graph.windows import compute_extent, compute_same_padding
from recu_tf.layers import Rotate180

__all__ = ["RotatedConvolution", "find_safe_padding", "pad_exactly"]

Pair = tuple[int, int]


def find_safe_padding(size: int, padding: Pair, window: int, stride: int) -> Pair | None:
    """Finds a padding of one axis with the same windows that the converter cannot take for SAME.

    Args:
        size: of the input, in pixels.
        padding: before and behind, the same number.
        window: of the kernel, dilation included.
        stride: of the windows.

    Returns:
        The padding before and behind; None where every such padding is SAME or is taken for it.
    """
    before, _ = padding
    read = _count_read_behind(size, padding, window, stride)
    if (before, max(read, 0)) == compute_same_padding(size, window, stride):
        return None
    # Behind the last window, fewer rows than a stride may follow that no window reads.
    choices = range(max(read, 0), max(read + stride, 0))
    return next(((before, number) for number in choices if number != before), None)


def _is_same_rotated(size: int, padding: Pair, window: int, stride: int) -> bool:
    rotated = (max(_count_read_behind(size, padding, window, stride), 0), padding[0])
    is_same = rotated == compute_same_padding(size, window, stride)
    return is_same and _has_same_count(size, padding, window, stride)


def _count_windows(size: int, padding: Pair, window: int, stride: int) -> int:
    return (size + sum(padding) - window) // stride + 1


def _has_same_count(size: int, padding: Pair, window: int, stride: int) -> bool:
    """Whether there are as many windows as with SAME."""
    return _count_windows(size, padding, window, stride) == -(-size // stride)


def _count_read_behind(size: int, padding: Pair, window: int, stride: int) -> int:
    """How far the last window reaches beyond the input; negative where it ends before."""
    windows = _count_windows(size, padding, window, stride)
    return (windows - 1) * stride + window - size - padding[0]


@tf.keras.utils.register_keras_serializable(package="export")
class RotatedConvolution(LayerOfLayers):
    """A convolution of signs between two rotations by 180 degrees.

    Shape: (batch, height, width, channels) to the output shape of the convolution.

    Args:
        convolution: a convolution of images.
        quantizer: the layer that takes the signs. For the converter, nothing may stand between it
            and the convolution.
    """

    inner = ("convolution", "quantizer")

    def __init__(self, convolution: Layer, quantizer: Layer, **kwargs):
        super().__init__(**kwargs)
        self.convolution = convolution
        self.quantizer = quantizer
        self.rotate = Rotate180()

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Rotates, takes the signs, convolves and rotates back."""
        return self.rotate(self.convolution(self.quantizer(self.rotate(inputs))))


def _find_mistakable_axes(
    size: tuple[int | None, ...], pad: Layer, convolution: Layer
) -> list[tuple[int, Pair, int, int]] | None:
    """Finds size, padding, window and stride of each axis; None where no mistake is possible."""
    windows = [
        compute_extent(kernel, dilation)
        for kernel, dilation in zip(convolution.kernel_size, convolution.dilation_rate, strict=True)
    ]
    axes = list(zip(size, pad.padding, windows, convolution.strides, strict=True))
    # The converter checks that the output is as large as with SAME and the padding symmetric.
    for axis in axes:
        pixels, (before, behind), *_ = axis
        if pixels is None or before != behind or not _has_same_count(*axis):
            return None
    return axes


def _rotate(step: Step, quantizer: Layer) -> tuple[Layer, list[np.ndarray]]:
    convolution = step.layer
    config = {**convolution.get_config(), "padding": "same"}
    if "pad_values" in config:
        # Any value may be set for VALID, which pads nothing.
        config["pad_values"] = 0
    kernel, *others = step.weights
    layer = RotatedConvolution(
        type(convolution).from_config(config),
        copy_layer(quantizer),
        name=f"{convolution.name}.rotated",
    )
    return layer, [kernel[::-1, ::-1], *others]


def _gives_signs(layer: Layer) -> bool:
    """Whether a layer is itself a quantizer of signs, not a layer that has a quantizer."""
    has_own = getattr(layer, "input_quantizer", None) is not None
    return not has_own and not layer.weights and reads_sign_only(layer)


def pad_exactly(graph: Graph) -> list[str]:
    """Rewrites each padding before a strided convolution that the converter would mistake.

    Returns:
        The names of the layers that were replaced or dropped.
    """
    found = []
    pads = [step for step in graph.steps if isinstance(step.layer, tf.keras.layers.ZeroPadding2D)]
    for pad in pads:
        readers = graph.find_readers(pad.output)
        if len(readers) != 1 or not graph.is_called_once(pad):
            continue
        (convolution,) = readers
        if convolution is None or not _is_mistaken(graph, convolution):
            continue
        axes = _find_mistakable_axes(pad.input.shape[1:3], pad.layer, convolution.layer)
        if axes is None or pad.layer.data_format != "channels_last":
            continue
        padding = [find_safe_padding(*axis) for axis in axes]
        if padding == [None, None]:
            continue
        found.append(pad.name)
        signs = graph.find_producer(pad.input)
        is_binary = (
            signs is not None
            and _gives_signs(signs.layer)
            and isinstance(convolution.layer, tf.keras.layers.Conv2D)
            and all(_is_same_rotated(*axis) for axis in axes)
        )
        if is_binary:
            found.append(convolution.name)
            convolution.set_layer(*_rotate(convolution, signs.layer))
            graph.remove(pad)
            if len(graph.find_readers(signs.output)) == 1 and graph.is_called_once(signs):
                # Otherwise the signs are taken twice, which changes nothing.
                found.append(signs.name)
                graph.remove(signs)
        else:
            exact = tuple(
                safe or given for safe, given in zip(padding, pad.layer.padding, strict=True)
            )
            pad.set_layer(tf.keras.layers.ZeroPadding2D(exact, name=pad.name), [])
    return found


def _is_mistaken(graph: Graph, step: Step) -> bool:
    """Whether a step is a strided convolution that reads the padding itself."""
    # In a separable convolution, only the depthwise one reads the padding.
    kinds = (
        tf.keras.layers.Conv2D | tf.keras.layers.DepthwiseConv2D | tf.keras.layers.SeparableConv2D
    )
    layer = step.layer
    return (
        isinstance(layer, kinds)
        and layer.padding == "valid"
        and graph.is_called_once(step)
        and isinstance(getattr(layer, "input_quantizer", None), lq.quantizers.NoOp | None)
    )
