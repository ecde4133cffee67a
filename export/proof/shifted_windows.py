"""Finds convolutions of a file whose windows are shifted against the network's.

Outputs can hide shifted windows: where a network gives nearly the same for all images, or where an
activation behind the convolution is dead. Sizes cannot. The converter replaces a padding that is
the same on both sides by SAME if that gives as many windows, wherever they begin (see
MISCOMPILATION.md). So each convolution of the file whose windows could be shifted must have its
counterpart in the network's graph, whatever layer or function that comes from.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

from export.keras_graph.binary_layers import choose_titles, list_layers_by_path
from export.keras_graph.inputs_outputs import as_inputs
from export.keras_graph.windows import compute_extent, compute_same_padding
from export.proof.mapping import find_layers
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.flatbuffer import read

__all__ = ["find_shifted_windows"]

CONVOLUTIONS = (BINARY_CONVOLUTION, "CONV_2D", "DEPTHWISE_CONV_2D")
NODES = ("Conv2D", "DepthwiseConv2dNative")

Pair = tuple[int, ...]


class _Kind(NamedTuple):
    """The sizes, of height and width, that the converter does not change."""

    windows: Pair
    kernel: Pair
    strides: Pair
    dilation: Pair


class _Convolution(NamedTuple):
    """A convolution of a file or of a graph; `image` is the size of its input."""

    name: str
    kind: _Kind
    same: bool
    image: Pair


def find_shifted_windows(flatbuffer: bytes | File, model: tf.keras.Model) -> list[str]:
    """Finds the convolutions of a file whose windows are shifted.

    Args:
        flatbuffer: the file.
        model: the model that it was converted from.

    Returns:
        The names of their layers; of the operator in the file where no layer is found.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    in_file = defaultdict(list)
    for operator in file.operators:
        if operator.name in CONVOLUTIONS:
            convolution = _read_operator(operator)
            in_file[convolution.kind].append(convolution)
    in_file = {
        kind: convolutions
        for kind, convolutions in in_file.items()
        if any(map(_could_be_shifted, convolutions))
    }
    if not in_file:
        return []
    # In the order of the model's, as `export.convert` has them.
    inputs = [tf.TensorSpec(tensor.shape, tensor.dtype.lower()) for tensor in file.inputs]
    in_graph = defaultdict(list)
    for node in _find_nodes(model, inputs):
        in_graph[node.kind].append(node)
    layers = list_layers_by_path(model)
    layer_titles = choose_titles(layers)
    shifted = []
    for kind, convolutions in in_file.items():
        for convolution in _find_unmatched(convolutions, in_graph[kind]):
            candidates = [
                node
                for node in in_graph[kind]
                if _may_become(node, convolution) and not _is_counterpart(node, convolution)
            ]
            names = [node.name for node in candidates] or [convolution.name]
            owners = [owner for name in names for owner in find_layers(name, layers)]
            shifted.append(layer_titles[id(owners[0])] if owners else names[0] or "a convolution")
    return list(dict.fromkeys(shifted))


def _read_operator(operator: Operator) -> _Convolution:
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


def _find_nodes(model: tf.keras.Model, inputs: list[tf.TensorSpec]) -> Iterator[_Convolution]:
    traced = tf.function(lambda *tensors: model(as_inputs(tensors), training=False))
    frozen = convert_variables_to_constants_v2(traced.get_concrete_function(*inputs)).graph
    functions = {
        definition.signature.name: definition
        for definition in frozen.as_graph_def().library.function
    }
    for name, node in _walk(frozen, functions):
        if node.type in NODES and node.get_attr("data_format") == b"NHWC":
            kind = _Kind(
                tuple(node.outputs[0].shape[1:3]),
                tuple(node.inputs[1].shape[:2]),
                tuple(node.get_attr("strides")[1:3]),
                tuple(node.get_attr("dilations")[1:3]),
            )
            same = node.get_attr("padding") == b"SAME"
            yield _Convolution(name, kind, same, tuple(node.inputs[0].shape[1:3]))


def _walk(graph: tf.Graph, functions: dict, at: str = "") -> Iterator[tuple[str, tf.Operation]]:
    """The nodes of a graph and of the functions that it calls, with `caller/node` as their name."""
    for node in graph.get_operations():
        yield at + node.name, node
        for value in node.node_def.attr.values():
            if value.func.name in functions:
                definition = functions[value.func.name]
                arguments = len(definition.signature.input_arg)
                shapes = [tensor.shape for tensor in node.inputs][-arguments:] if arguments else []
                called = function_def_to_graph(definition, shapes)
                yield from _walk(called, functions, f"{at}{node.name}/")


def _compute_same_paddings(convolution: _Convolution) -> list[Pair]:
    """What SAME pads in front and behind, of height and of width."""
    kind = convolution.kind
    sizes = zip(convolution.image, kind.kernel, kind.strides, kind.dilation, strict=True)
    return [
        compute_same_padding(size, compute_extent(kernel, dilation), stride)
        for size, kernel, stride, dilation in sizes
    ]


def _could_be_shifted(convolution: _Convolution) -> bool:
    """Whether a padding that is the same on both sides can give as many windows in other places.

    With a stride of 1, as many windows need as much padding as SAME; if that is the same on both
    sides, it is SAME itself.
    """
    if not convolution.same:
        return False
    return any(
        stride > 1 and (front != behind or stride > 2)
        for (front, behind), stride in zip(
            _compute_same_paddings(convolution), convolution.kind.strides, strict=True
        )
    )


def _may_become(node: _Convolution, convolution: _Convolution) -> bool:
    """Whether a convolution of the graph without padding may become one of the file with SAME."""
    return not node.same and all(
        padded >= size for padded, size in zip(node.image, convolution.image, strict=True)
    )


def _is_counterpart(node: _Convolution, convolution: _Convolution) -> bool:
    """Whether a convolution of the graph has the windows of a convolution of the file."""
    if node.same == convolution.same:
        return node.image == convolution.image
    sizes = zip(node.image, convolution.image, _compute_same_paddings(convolution), strict=True)
    return _may_become(node, convolution) and all(
        padded - size == front + behind or padded - size == 2 * front
        for padded, size, (front, behind) in sizes
    )


def _find_unmatched(
    in_file: list[_Convolution], in_graph: list[_Convolution]
) -> list[_Convolution]:
    """The convolutions of the file that a largest matching with the graph's leaves over."""
    taken: dict[int, int] = {}

    def find(number: int, tried: set[int]) -> bool:
        for place, node in enumerate(in_graph):
            if place not in tried and _is_counterpart(node, in_file[number]):
                tried.add(place)
                if place not in taken or find(taken[place], tried):
                    taken[place] = number
                    return True
        return False

    return [convolution for number, convolution in enumerate(in_file) if not find(number, set())]
