"""Pads with ones where Larq Compute Engine would compute a padding with zeros wrongly.

Bits have no zero. The engine pads with ones and subtracts their contribution, but wrongly if a
window covers the whole map and more (see MISCOMPILATION.md). So the model itself pads with ones and
subtracts their contribution, a known number at each position.
"""

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.layer_of_layers import LayerOfLayers
from export.conversion.rewriting.padding import RotatedConvolution
from export.keras_graph.binary_layers import has_frozen_bits
from export.keras_graph.graph import Graph, Layer
from export.keras_graph.windows import compute_extent, compute_same_padding

__all__ = ["PaddedWithOnes", "is_wide", "pad_wide_kernels"]


def is_wide(size: int, kernel: int, stride: int, dilation: int) -> bool:
    """Whether a window of a convolution padded by SAME covers one axis of its map and more.

    Args:
        size: of the map, in pixels.
        kernel: size of the kernel, without dilation.
        stride: of the windows.
        dilation: of the kernel.
    """
    window = compute_extent(kernel, dilation)
    front, _ = compute_same_padding(size, window, stride)
    starts = range(-front, -front + -(-size // stride) * stride, stride)
    return window > size and any(start <= 0 and start + window >= size for start in starts)


@tf.keras.utils.register_keras_serializable(package="export")
class PaddedWithOnes(LayerOfLayers):
    """A convolution padded with ones, minus their contribution: the same as padded with zeros.

    Shape: (batch, height, width, channels) to (batch, new height, new width, filters).

    Args:
        convolution: a layer without bias and activation, padded with ones.
        activation: the layer that comes last.
    """

    inner = ("convolution", "activation")

    def __init__(self, convolution: Layer, activation: Layer, **kwargs):
        super().__init__(**kwargs)
        self.convolution = convolution
        self.activation = activation

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the weight that is added: the bias minus the contribution of the ones."""
        shape = self.convolution.compute_output_shape(input_shape)[1:]
        self.added = self.add_weight("added", shape, trainable=False)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolves, adds the weight and activates."""
        outputs = self.convolution(inputs)
        height, width, filters = self.added.shape
        if height == width == 1:
            return self.activation(outputs + tf.reshape(self.added, (filters,)))
        # The converter would fuse a sum with a map into the convolution, which the engine then
        # cannot load; it does not look through a change of shape.
        flat = tf.reshape(outputs, (-1, height * width * filters))
        total = flat + tf.reshape(self.added, (height * width * filters,))
        return self.activation(tf.reshape(total, (-1, height, width, filters)))


def pad_wide_kernels(graph: Graph) -> list[str]:
    """Pads binary convolutions with ones where a window covers the whole map and more.

    Returns:
        The names of the layers that were replaced.
    """
    found = []
    for step in filter(graph.is_called_once, graph.steps):
        # A rotation does not change the size that the convolution behind it reads.
        rotated = step.layer if isinstance(step.layer, RotatedConvolution) else None
        layer = rotated.convolution if rotated else step.layer
        if not _is_padded_with_zeros(layer):
            continue
        size = step.input.shape[1:3]
        axes = zip(size, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
        if None not in size and any(is_wide(*axis) for axis in axes):
            found.append(step.name)
            new, weights = _pad_with_ones(layer, step.weights, step.input.shape)
            if rotated:
                new = RotatedConvolution(new, rotated.quantizer, name=rotated.name)
            step.set_layer(new, weights)
    return found


def _is_padded_with_zeros(layer: Layer) -> bool:
    """Whether a layer is a convolution with a frozen kernel of bits, and padded with zeros."""
    return has_frozen_bits(layer) and layer.padding == "same" and layer.pad_values == 0


def _pad_with_ones(
    layer: Layer, weights: list[np.ndarray], shape: tuple[int | None, ...]
) -> tuple[Layer, list[np.ndarray]]:
    config = {**layer.get_config(), "pad_values": 1, "use_bias": False, "activation": "linear"}
    activation = tf.keras.layers.Activation(layer.activation, name=f"{layer.name}.activation")
    convolution = type(layer).from_config(config)
    kernel, *bias = weights
    # A map of zeros padded with ones: the convolution gives the contribution of the padding alone.
    zeros = tf.zeros((1, *shape[1:]))
    options = {"strides": layer.strides, "dilations": layer.dilation_rate}
    (top, bottom), (left, right) = (
        compute_same_padding(length, compute_extent(taps, dilation), stride)
        for length, taps, dilation, stride in zip(
            shape[1:3], layer.kernel_size, layer.dilation_rate, layer.strides, strict=True
        )
    )
    ones = tf.pad(zeros, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=1.0)
    added = -tf.nn.conv2d(ones, kernel, padding="VALID", **options)[0].numpy()
    return PaddedWithOnes(convolution, activation, name=f"{layer.name}.ones"), [
        kernel,
        sum(bias, added),
    ]
