"""Finds binary convolutions of a file that the engine computes wrongly, by their sizes.

Larq Compute Engine's fast backends take away too much, or too little, of what a padding with
zeros adds where a window holds the whole map and more (see MISCOMPILATION.md). Images need not
reveal it: a branch that few of them activate hides it. Sizes always reveal it.
"""

import tensorflow as tf

from export.conversion.rewriting.wide_kernels import is_wide
from export.keras_graph.binary_layers import choose_titles, list_layers_by_path
from export.proof.mapping import map_operators
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.flatbuffer import read

__all__ = ["find_wide_kernels"]


def find_wide_kernels(flatbuffer: bytes | File, model: tf.keras.Model) -> list[str]:
    """Finds binary convolutions padded with zeros whose windows hold their whole map and more.

    Args:
        flatbuffer: the file.
        model: the model that it was converted from.

    Returns:
        The names of their layers; where no layer is found, as in the graph of a SavedModel, the
        operator's name in the file, or its sizes.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    if not any(map(_is_wrong, file.operators)):
        return []
    layer_titles = choose_titles(list_layers_by_path(model))
    owners = map_operators(file, model)
    found = [
        layer_titles[id(owner)] if owner is not None else _describe(operator)
        for operator, owner in zip(file.operators, owners, strict=True)
        if _is_wrong(operator)
    ]
    return list(dict.fromkeys(found))


def _is_wrong(operator: Operator) -> bool:
    if operator.name != BINARY_CONVOLUTION or operator.options["padding"] != "SAME":
        return False
    image, kernel = operator.inputs[:2]
    strides, dilation = operator.options["strides"], operator.options["dilation"]
    axes = zip(image.shape[1:3], kernel.shape[1:3], strides, dilation, strict=True)
    return operator.options["pad_values"] == 0 and any(is_wide(*axis) for axis in axes)


def _describe(operator: Operator) -> str:
    image, kernel = operator.inputs[:2]
    sizes = ("x".join(map(str, tensor.shape[1:3])) for tensor in (kernel, image))
    name = operator.outputs[0].name.split(";")[0] or "a binary convolution"
    return "{} ({} on a map of {})".format(name, *sizes)
