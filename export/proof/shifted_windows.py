"""Whether the convolutions of a file look through the windows that the network's look through.

Numbers can hide windows that were moved: where images make a network give nearly the same every
time, or where an activation behind them is dead. Sizes cannot. The converter takes a padding that
is the same on both sides for SAME if as many windows come out, wherever these begin (see
MISCOMPILATION.md). So each convolution of the file that could be such a one has to have its
counterpart in the network's graph, whatever layer or function that comes from.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from export.conversion.rewriting.padding import same_padding
from export.keras_graph.binary_layers import paths, titles
from export.keras_graph.inputs_outputs import as_inputs
from export.proof.mapping import find_layers
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.flatbuffer import read

__all__ = ["find_shifted_windows"]

CONVOLUTIONS = (BINARY_CONVOLUTION, "CONV_2D", "DEPTHWISE_CONV_2D")
NODES = ("Conv2D", "DepthwiseConv2dNative")

Pair = tuple[int, ...]


class _Kind(NamedTuple):
    """What the converter leaves as it is, of height and width."""

    windows: Pair
    kernel: Pair
    strides: Pair
    dilation: Pair


class _Convolution(NamedTuple):
    """One of a file or of a graph: what it reads, with its padding if that is SAME."""

    name: str
    kind: _Kind
    same: bool
    image: Pair


def find_shifted_windows(flatbuffer: bytes | File, model: tf.keras.Model) -> list[str]:
    """The convolutions that look through other windows in a file, by the names of their layers.

    Args:
        flatbuffer: the file.
        model: what it was converted from.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    in_file = defaultdict(list)
    for operator in file.operators:
        if operator.name in CONVOLUTIONS:
            one = _of_operator(operator)
            in_file[one.kind].append(one)
    in_file = {kind: some for kind, some in in_file.items() if any(map(_could_be_moved, some))}
    if not in_file:
        return []
    # In the order of the model's, as `export.convert` has them.
    inputs = [tf.TensorSpec(tensor.shape, tensor.dtype.lower()) for tensor in file.inputs]
    in_graph = defaultdict(list)
    for one in _in_graph(model, inputs):
        in_graph[one.kind].append(one)
    layers = paths(model)
    called = titles(layers)
    found = []
    for kind, some in in_file.items():
        for one in _without_counterpart(some, in_graph[kind]):
            moved = [
                node
                for node in in_graph[kind]
                if _may_become(node, one) and not _is_counterpart(node, one)
            ]
            names = [node.name for node in moved] or [one.name]
            owners = [owner for name in names for owner in find_layers(name, layers)]
            found.append(called[id(owners[0])] if owners else names[0] or "a convolution")
    return list(dict.fromkeys(found))


def _of_operator(operator: Operator) -> _Convolution:
    image, kernel = operator.inputs[:2]
    output = operator.outputs[0]
    kind = _Kind(
        tuple(output.shape[1:3]),
        tuple(kernel.shape[1:3]),
        tuple(operator.options["strides"]),
        tuple(operator.options["dilation"]),
    )
    same = operator.options["padding"] == "SAME"
    return _Convolution(output.name, kind, same, tuple(image.shape[1:3]))


def _in_graph(model: tf.keras.Model, inputs: list[tf.TensorSpec]) -> Iterator[_Convolution]:
    called = tf.function(lambda *tensors: model(as_inputs(tensors), training=False))
    frozen = convert_variables_to_constants_v2(called.get_concrete_function(*inputs)).graph
    functions = {one.signature.name: one for one in frozen.as_graph_def().library.function}
    for name, node in _nodes(frozen, functions):
        if node.type in NODES and node.get_attr("data_format") == b"NHWC":
            kind = _Kind(
                tuple(node.outputs[0].shape[1:3]),
                tuple(node.inputs[1].shape[:2]),
                tuple(node.get_attr("strides")[1:3]),
                tuple(node.get_attr("dilations")[1:3]),
            )
            same = node.get_attr("padding") == b"SAME"
            yield _Convolution(name, kind, same, tuple(node.inputs[0].shape[1:3]))


def _nodes(graph: tf.Graph, functions: dict, at: str = "") -> Iterator[tuple[str, tf.Operation]]:
    """Those of a graph and of the functions that it calls, by their names behind those of calls."""
    for node in graph.get_operations():
        yield at + node.name, node
        for value in node.node_def.attr.values():
            if value.func.name in functions:
                definition = functions[value.func.name]
                arguments = len(definition.signature.input_arg)
                shapes = [one.shape for one in node.inputs][-arguments:] if arguments else []
                called = function_def_to_graph(definition, shapes)
                yield from _nodes(called, functions, f"{at}{node.name}/")


def _same(one: _Convolution) -> list[Pair]:
    """What SAME pads, of height and width, in front and behind."""
    sizes = zip(one.image, one.kind.kernel, one.kind.strides, one.kind.dilation, strict=True)
    return [
        same_padding(size, (kernel - 1) * dilation + 1, stride)
        for size, kernel, stride, dilation in sizes
    ]


def _could_be_moved(one: _Convolution) -> bool:
    """Whether a padding that is the same on both sides can have as many windows, elsewhere.

    Where windows move by one pixel, as many windows take as much padding as SAME, and the same on
    both sides is then SAME itself.
    """
    if not one.same:
        return False
    return any(
        stride > 1 and (front != behind or stride > 2)
        for (front, behind), stride in zip(_same(one), one.kind.strides, strict=True)
    )


def _may_become(node: _Convolution, one: _Convolution) -> bool:
    """Whether a convolution of the graph that pads nothing could be one with SAME in the file."""
    return not node.same and all(
        more >= own for more, own in zip(node.image, one.image, strict=True)
    )


def _is_counterpart(node: _Convolution, one: _Convolution) -> bool:
    """Whether a convolution of the graph has the windows of one in the file."""
    if node.same == one.same:
        return node.image == one.image
    return _may_become(node, one) and all(
        padded - own == front + behind or padded - own == 2 * front
        for padded, own, (front, behind) in zip(node.image, one.image, _same(one), strict=True)
    )


def _without_counterpart(
    in_file: list[_Convolution], in_graph: list[_Convolution]
) -> list[_Convolution]:
    """Those of the file that are left if as many as can be have one of the graph each."""
    taken: dict[int, int] = {}

    def find(number: int, tried: set[int]) -> bool:
        for place, node in enumerate(in_graph):
            if place not in tried and _is_counterpart(node, in_file[number]):
                tried.add(place)
                if place not in taken or find(taken[place], tried):
                    taken[place] = number
                    return True
        return False

    return [one for number, one in enumerate(in_file) if not find(number, set())]
