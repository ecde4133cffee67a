"""Whether the convolutions of a file look through the windows that the network's look through.

Numbers can hide windows that were moved: where images make a network give nearly the same every
time, or where an activation behind them is dead. Sizes cannot. The converter takes a padding that
is the same on both sides for SAME if as many windows come out, wherever these begin (see
MISCOMPILATION.md). So each such padding in the network's graph, whatever layer or function it comes
from, is looked for among the convolutions of the file.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from export.binary_layers import paths, titles
from export.flatbuffer import BINARY_CONVOLUTION, Operator, read
from export.rewriting.padding import same_padding
from export.tracing import layers_of

__all__ = ["moved_windows"]

CONVOLUTIONS = (BINARY_CONVOLUTION, "CONV_2D", "DEPTHWISE_CONV_2D")
NODES = ("Conv2D", "DepthwiseConv2dNative")
PADDINGS = ("Pad", "PadV2")
# Conversions leave nothing of these, or join them with what is beside them.
PASSING = ("Identity", "StopGradient", "EnsureShape", "CheckNumerics", "FakeQuantWithMinMaxVars")

Pair = tuple[int, ...]


class _Shape(NamedTuple):
    """What is known of a convolution with the padding SAME: height and width of each."""

    image: Pair
    windows: Pair
    kernel: Pair
    strides: Pair
    dilation: Pair

    def same(self) -> list[Pair]:
        """What SAME pads, of height and width, in front and behind."""
        return [
            same_padding(size, (kernel - 1) * dilation + 1, stride)
            for size, kernel, stride, dilation in zip(
                self.image, self.kernel, self.strides, self.dilation, strict=True
            )
        ]


def moved_windows(flatbuffer: bytes, model: tf.keras.Model) -> list[str]:
    """The convolutions that look through other windows in a file, by the names of their layers.

    Args:
        flatbuffer: the file.
        model: what it was converted from.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    in_file = Counter(
        _operator_shape(operator)
        for operator in file.operators
        if operator.name in CONVOLUTIONS and operator.options["padding"] == "SAME"
    )
    if not in_file:
        return []
    right, moved = Counter(), []
    image = file.inputs[0]
    spec = tf.TensorSpec(image.shape, image.dtype.lower())
    for node in _convolutions(model, spec):
        if node.get_attr("padding") == b"SAME":
            right[_node_shape(node, _size(node.inputs[0]))] += 1
            continue
        for shape, padding in _paddings(node):
            both = list(zip(padding, shape.same(), strict=True))
            if not all(one == same or one[0] == one[1] for one, same in both):
                continue  # which the converter leaves alone
            if all(one[0] == same[0] for one, same in both):
                right[shape] += 1
            else:
                moved.append((node.name, shape))
    # One more than there should be: a padding was taken for SAME.
    names = [name for name, shape in moved if in_file[shape] > right[shape]]
    if not names:
        return []
    layers = paths(model)
    called = titles(layers)
    found = [[called[id(one)] for one in layers_of(name, layers)] or [name] for name in names]
    return list(dict.fromkeys(one[0] for one in found))


def _operator_shape(operator: Operator) -> _Shape:
    image, kernel = operator.inputs[:2]
    return _Shape(
        tuple(image.shape[1:3]),
        tuple(operator.outputs[0].shape[1:3]),
        tuple(kernel.shape[1:3]),
        tuple(operator.options["strides"]),
        tuple(operator.options["dilation"]),
    )


def _convolutions(model: tf.keras.Model, image: tf.TensorSpec) -> Iterator[tf.Operation]:
    """Those of the network's graph, those in functions that it calls as well."""
    called = tf.function(lambda images: model(images, training=False))
    graph = convert_variables_to_constants_v2(called.get_concrete_function(image)).graph
    for node in graph.get_operations():
        if node.type in NODES and node.get_attr("data_format") == b"NHWC":
            yield node


def _size(tensor: tf.Tensor) -> Pair:
    return tuple(tensor.shape[1:3])


def _node_shape(node: tf.Operation, image: Pair) -> _Shape:
    return _Shape(
        image,
        _size(node.outputs[0]),
        tuple(node.inputs[1].shape[:2]),
        tuple(node.get_attr("strides")[1:3]),
        tuple(node.get_attr("dilations")[1:3]),
    )


def _paddings(node: tf.Operation) -> Iterator[tuple[_Shape, list[Pair]]]:
    """What a convolution would be as SAME, if the paddings in front of it were taken for that.

    Gives:
        What it would be, and what is padded, of height and width, in front and behind; of each
        padding alone with those behind it.
    """
    padding = [(0, 0), (0, 0)]
    before = node.inputs[0].op
    while before.type in (*PADDINGS, *PASSING):
        if before.type in PADDINGS:
            amounts = tf.get_static_value(before.inputs[1])
            if amounts is None or len(amounts) != 4:
                return
            padding = [
                (front + more[0], behind + more[1])
                for (front, behind), more in zip(padding, amounts[1:3].tolist(), strict=True)
            ]
            shape = _node_shape(node, _size(before.inputs[0]))
            if shape.windows == tuple(
                -(-size // stride) for size, stride in zip(shape.image, shape.strides, strict=True)
            ):
                yield shape, padding
        before = before.inputs[0].op
