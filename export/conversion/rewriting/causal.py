"""A causal convolution of signs, which reads zeros in front of the first position.

Bits have no zero, and the engine pads with zeros only by SAME. So the model itself pads with ones
and subtracts their contribution, a known number, from the first positions.
"""

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.layer_of_layers import LayerOfLayers
from export.keras_graph.graph import Layer

__all__ = ["PaddedInFront", "count_front", "pad_in_front"]


def count_front(layer: Layer) -> int:
    """Counts the zeros that a causal convolution puts in front of its signs; 0 for others."""
    if getattr(layer, "padding", "") != "causal":
        return 0
    return (layer.kernel_size[0] - 1) * layer.dilation_rate[0]


@tf.keras.utils.register_keras_serializable(package="export")
class PaddedInFront(LayerOfLayers):
    """A convolution behind columns of ones, minus their contribution: as behind zeros.

    Shape: (batch, 1, width, channels) to (batch, 1, new width, filters).

    Args:
        convolution: a layer without padding and activation; its sign of 1 is 1.
        activation: the layer that comes last.
        front: columns of ones before the first.
    """

    inner = ("convolution", "activation")

    def __init__(self, convolution: Layer, activation: Layer, front: int, **kwargs):
        super().__init__(**kwargs)
        self.convolution = convolution
        self.activation = activation
        self.front = front

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the weight that is added to the first positions."""
        batch, height, width, channels = input_shape
        padded = (batch, height, self.front + width, channels)
        *_, positions, filters = self.convolution.compute_output_shape(padded)
        first = min(-(-self.front // self.convolution.strides[1]), positions)
        self.added = self.add_weight("added", (first, filters), trainable=False)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads, convolves, adds the weight and activates."""
        ends = [(0, 0), (0, 0), (self.front, 0), (0, 0)]
        outputs = self.convolution(tf.pad(inputs, ends, constant_values=1.0))
        first, _ = self.added.shape
        # All the others need nothing: to add a number to each would take a map of constants.
        parts = [outputs[:, :, :first] + self.added, outputs[:, :, first:]]
        return self.activation(tf.concat(parts, axis=2))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "front": self.front}


def pad_in_front(
    convolution: Layer, weights: list[np.ndarray], width: int, front: int
) -> tuple[Layer, list[np.ndarray]]:
    """Makes a layer that pads a convolution in front as if with zeros.

    Args:
        convolution: of signs, without padding, with a kernel one pixel high.
        weights: of the convolution.
        width: of what it reads, in pixels.
        front: columns of zeros.

    Returns:
        The layer and its weights.
    """
    kernel = weights[0]
    channels = kernel.shape[2] * convolution.groups
    # Zeros behind ones: the convolution gives the contribution of the ones alone.
    ones = np.zeros((1, 1, front + width, channels), np.float32)
    ones[:, :, :front] = 1
    options = {"strides": convolution.strides, "dilations": convolution.dilation_rate}
    given = tf.nn.conv2d(ones, kernel, padding="VALID", **options)[0, 0].numpy()
    config = {**convolution.get_config(), "activation": "linear"}
    name = convolution.name
    activation = tf.keras.layers.Activation(convolution.activation, name=f"{name}.activation")
    layer = PaddedInFront(
        type(convolution).from_config(config), activation, front, name=f"{name}.causal"
    )
    return layer, [*weights, -given[: -(-front // convolution.strides[1])]]
