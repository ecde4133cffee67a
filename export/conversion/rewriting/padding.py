"""Writes a padding before a strided convolution so that the converter leaves its meaning alone.

Larq Compute Engine's converter takes an explicit padding that is the same on both sides for the
padding SAME. With strides, SAME pads less in front where the size is even, and each window sees
other pixels. Two forms are exact:

- Only what the last window reads is padded behind, or one row or column more. That is not the same
  on both sides, and is left alone. It keeps a convolution from being binary, though.
- Turned by 180 degrees, image and kernel, SAME is the padding wanted. A binary convolution stays
  one, between two layers that turn, if the sign comes after the first of them.
"""

import larq as lq
import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.keras_graph.clone import Changes, Layer, calls, consumers, nodes, producers
from recu_tf.layers import Rotate180

__all__ = ["TurnedConvolution", "exact_padding", "safe_padding", "same_padding"]

Pair = tuple[int, int]


def safe_padding(size: int, padding: Pair, window: int, stride: int) -> Pair | None:
    """A padding of one axis with the same windows that the converter cannot take for SAME.

    Args:
        size: of the input, in pixels.
        padding: before and behind, the same number.
        window: of the kernel, dilation included.
        stride: of the windows.

    Returns:
        The padding before and behind; None where each would be taken for SAME, or is SAME.
    """
    before, behind = padding
    windows = (size + before + behind - window) // stride + 1
    read = (windows - 1) * stride + window - size - before
    if (before, max(read, 0)) == same_padding(size, window, stride):
        return None
    # A stride's worth of rows less one may follow that no window reads.
    choices = range(max(read, 0), max(read + stride, 0))
    return next(((before, number) for number in choices if number != before), None)


def same_padding(size: int, window: int, stride: int) -> Pair:
    """What SAME pads one axis of this size with, before and behind."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _turned_is_same(size: int, padding: Pair, window: int, stride: int) -> bool:
    before, behind = padding
    windows = (size + before + behind - window) // stride + 1
    read = (windows - 1) * stride + window - size - before
    return windows == -(-size // stride) and (max(read, 0), before) == same_padding(
        size, window, stride
    )


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class TurnedConvolution(tf.keras.layers.Layer):
    """A convolution of signs between two turns by 180 degrees.

    Shape: (batch, height, width, channels) to what the convolution gives.

    Args:
        convolution: a layer of images.
        quantizer: the layer that gives the signs. The converter wants nothing between it and the
            convolution.
    """

    def __init__(self, convolution: Layer, quantizer: Layer, **kwargs):
        super().__init__(**kwargs)
        self.convolution = convolution
        self.quantizer = quantizer
        self.turn = Rotate180()

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Turns, takes the signs, convolves and turns back."""
        return self.turn(self.convolution(self.quantizer(self.turn(inputs))))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        layers = {"convolution": self.convolution, "quantizer": self.quantizer}
        serialized = {name: tf.keras.layers.serialize(one) for name, one in layers.items()}
        return {**super().get_config(), **serialized}

    @classmethod
    def from_config(cls, config: dict) -> "TurnedConvolution":
        """The layer of a configuration."""
        names = ("convolution", "quantizer")
        layers = {name: tf.keras.layers.deserialize(config[name]) for name in names}
        return cls(**{**config, **layers})


def _axes(
    size: tuple[int | None, ...], pad: Layer, convolution: Layer
) -> list[tuple[int, Pair, int, int]] | None:
    """Size, padding, window and stride of each axis that the converter could mistake."""
    windows = [
        (kernel - 1) * dilation + 1
        for kernel, dilation in zip(convolution.kernel_size, convolution.dilation_rate, strict=True)
    ]
    axes = list(zip(size, pad.padding, windows, convolution.strides, strict=True))
    # It looks for an output as large as that of SAME, and a padding that is the same on both sides.
    for pixels, (before, behind), window, stride in axes:
        if pixels is None or before != behind:
            return None
        if (pixels + before + behind - window) // stride + 1 != -(-pixels // stride):
            return None
    return axes


def _turned(convolution: Layer, quantizer: Layer) -> tuple[Layer, list[np.ndarray]]:
    config = {**convolution.get_config(), "padding": "same"}
    if "pad_values" in config:
        # Whatever it says for VALID, which pads nothing.
        config["pad_values"] = 0
    kernel, *others = convolution.get_weights()
    layer = TurnedConvolution(
        type(convolution).from_config(config), _copy(quantizer), name=f"{convolution.name}.turned"
    )
    return layer, [kernel[::-1, ::-1], *others]


def _copy(layer: Layer) -> Layer:
    return type(layer).from_config(layer.get_config())


def _gives_signs(layer: Layer) -> bool:
    """Whether it is a quantizer itself, not a layer that has one."""
    has_own = getattr(layer, "input_quantizer", None) is not None
    return not has_own and not layer.weights and reads_sign_only(layer)


def exact_padding(model: tf.keras.Model) -> Changes:
    """Rewrites each padding before a strided convolution that the converter would mistake."""
    changes, readers, called = Changes(), consumers(model), calls(model)
    sources = producers(model)
    for pad in model.layers:
        if not isinstance(pad, tf.keras.layers.ZeroPadding2D) or called[pad.name] != 1:
            continue
        convolution = readers[pad.name][0]
        if len(readers[pad.name]) != 1 or not _mistaken(convolution, called):
            continue
        # Of the call in this model; the layer may be called in others too.
        shape = next(node.input_shapes for node in nodes(model) if node.layer is pad)
        axes = _axes(shape[1:3], pad, convolution)
        if axes is None or pad.data_format != "channels_last":
            continue
        padding = [safe_padding(*axis) for axis in axes]
        if padding == [None, None]:
            continue
        (before,) = sources[pad.name]
        binary = _gives_signs(before) and all(_turned_is_same(*axis) for axis in axes)
        if binary and isinstance(convolution, tf.keras.layers.Conv2D):
            changes.replace(convolution, *_turned(convolution, before))
            if len(readers[before.name]) == called[before.name] == 1:
                # Else the signs are taken twice, which changes nothing.
                nothing = tf.keras.layers.Activation("linear", name=before.name)
                changes.replace(before, nothing, [])
            new = tf.keras.layers.Activation("linear", name=pad.name)
        else:
            exact = tuple(safe or given for safe, given in zip(padding, pad.padding, strict=True))
            new = tf.keras.layers.ZeroPadding2D(exact, name=pad.name)
        changes.replace(pad, new, [])
    return changes


def _mistaken(layer: Layer | None, called: dict[str, int]) -> bool:
    """Whether a layer is a strided convolution that reads the padding itself."""
    # Only the depthwise part of a separable one reads it, and moves.
    kinds = (
        tf.keras.layers.Conv2D | tf.keras.layers.DepthwiseConv2D | tf.keras.layers.SeparableConv2D
    )
    return (
        isinstance(layer, kinds)
        and layer.padding == "valid"
        and called[layer.name] == 1
        and isinstance(getattr(layer, "input_quantizer", None), lq.quantizers.NoOp | None)
    )
