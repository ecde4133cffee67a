"""Maps each operator of a file to the layer of the model that it computes.

Names alone do not suffice. The converter joins the names of all that it fused and cuts them off
after 50 characters, the last operator's name is lost, and where two layers binarise the same input,
both read a tensor that is named after one of them. So an operator with a kernel is first looked up
by the signs of its filters, which a fusion changes only by negating whole filters, and then by its
name. A batch norm in front of a dense layer changes more signs: such an operator is looked up by
its shape, if only one layer of that shape is left.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from export.keras_graph import binary_layers as layers
from export.tflite.file import BINARY_CONVOLUTION, File, Operator, Tensor

__all__ = ["KERNEL_INPUT", "find_layers", "has_filters_of", "map_operators"]

LONGEST_NAME = 50

# To int8 and back: called as a value that they only pass on, or as the model, which may have the
# name of a layer at its other end.
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")

# To the names of the layers that the rewriting puts around one of the model.
ADDED = (".ones", ".causal", ".rotated", ".map", ".flat", ".repeated")

# The position of the kernel among the inputs of each operator.
KERNEL_INPUT = {
    BINARY_CONVOLUTION: 1,
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}


def read_kernel(operator: Operator) -> np.ndarray | None:
    """Reads the constant filters of a convolution or dense operator.

    Returns:
        (filters, height, width, channels), of any type; -1 and 1 as int8 for a binary convolution;
        None for an operator without, or whose kernel is computed.
    """
    place = KERNEL_INPUT.get(operator.name)
    tensor = operator.inputs[place] if place and len(operator.inputs) > place else None
    if tensor is None or tensor.constant is None or len(tensor.shape) not in (2, 4):
        return None
    try:
        kernel = tensor.values()
    except ValueError:
        return None
    if operator.name == BINARY_CONVOLUTION:
        # A bit stands for a channel, the lowest first, and a set one for -1.
        bits = np.unpackbits(kernel.view(np.uint8), axis=-1, bitorder="little")
        return 1 - 2 * bits[..., : operator.options["channels_in"]].astype(np.int8)
    if operator.name == "DEPTHWISE_CONV_2D":
        return kernel[0].transpose(2, 0, 1)[..., None]
    return kernel[:, None, None, :] if kernel.ndim == 2 else kernel


def _compute_fingerprint(kernel: np.ndarray) -> tuple:
    """The signs of filters, the same after each was multiplied with any number but 0."""
    flat = kernel.reshape(len(kernel), -1)
    largest = np.abs(flat).argmax(axis=1)[:, None]
    turned = np.take_along_axis(flat, largest, axis=1) < 0
    # The kernel of a dense layer can be as large as the map that is flattened before it.
    return flat.shape, np.packbits(np.where(turned, flat > 0, flat < 0)).tobytes()


def _compute_fingerprints(layer: tf.keras.layers.Layer) -> set[tuple]:
    """Those of the operators that a layer can become, of which a separable one has several."""
    kernels = (layers.compute_filters(layer), layers.compute_joint_filters(layer))
    return {_compute_fingerprint(kernel) for kernel in kernels if kernel is not None}


def has_filters_of(operator: Operator, layer: tf.keras.layers.Layer) -> bool:
    """Whether an operator's filters are a layer's, but for a factor of each."""
    kernel = read_kernel(operator)
    return kernel is not None and _compute_fingerprint(kernel) in _compute_fingerprints(layer)


def find_layers(name: str, paths: dict[str, tf.keras.layers.Layer]) -> list[tf.keras.layers.Layer]:
    """Finds the layers that a tensor's name contains, in the order of the name."""
    names = name.split(";")
    found = []
    for i, joined in enumerate(names):
        pieces = joined.split("/")
        if i == len(names) - 1 and len(name) >= LONGEST_NAME:
            pieces = pieces[:-1]  # perhaps cut off
        # Names begin with the model's own; that of a model around it may stand before.
        for start in [*range(1, len(pieces)), 0]:
            ends = range(len(pieces), start, -1)
            whole = ["/".join(pieces[start:end]) for end in ends]
            whole += [path.removesuffix(suffix) for path in whole for suffix in ADDED]
            owner = next((paths[path] for path in whole if path in paths), None)
            if owner is not None:
                found.append(owner)
                break
    return found


def _find_owners(tensors: Iterable[Tensor], paths: dict) -> list[tf.keras.layers.Layer]:
    """The layers that are named in the names of tensors."""
    return [owner for tensor in tensors for owner in find_layers(tensor.name, paths)]


def _is_among(layer: tf.keras.layers.Layer, others: list[tf.keras.layers.Layer]) -> bool:
    return any(layer is other for other in others)


def _find_candidates(
    operator: Operator, kernels: dict, spare: dict, paths: dict, used: list
) -> list[tf.keras.layers.Layer]:
    """The layers that an operator with a kernel can be, the likeliest first."""
    kernel = read_kernel(operator)
    same = kernels.get(_compute_fingerprint(kernel), []) if kernel is not None else []
    outputs = _find_owners(operator.outputs, paths)
    inputs = _find_owners(filter(None, operator.inputs), paths)
    if len(same) == 1:
        return same
    if same:  # several of the same kernel and, if no name helps, each its turn
        named = [layer for layer in outputs + inputs if _is_among(layer, same)]
        return named + [layer for layer in same if not _is_among(layer, used)] + same
    # An input may be named after the layer before.
    named = outputs + [layer for layer in inputs if not _is_among(layer, used)]
    named = [layer for layer in named if layers.has_kernel(layer)]
    if named or kernel is None:
        return named
    # A batch norm in front, which the converter multiplied into the kernel, leaves only its shape.
    alone = spare.get((len(kernel), kernel[:1].size), [])
    return alone if len(alone) == 1 else []


def map_operators(file: File, model: tf.keras.Model) -> list[tf.keras.layers.Layer | None]:
    """Finds the layer of each operator.

    Args:
        file: what the converter made of the model.
        model: the model.

    Returns:
        For each operator of the file the layer that it computes. Of several fused layers it is the
        one with a kernel, or the last; None where no layer was found, and for a conversion to int8
        or back.
    """
    paths = layers.list_layers_by_path(model)
    kernels = defaultdict(list)
    for layer in {id(layer): layer for layer in paths.values()}.values():
        for fingerprint in _compute_fingerprints(layer):
            kernels[fingerprint].append(layer)
    known = {
        _compute_fingerprint(kernel)
        for kernel in map(read_kernel, file.operators)
        if kernel is not None
    }
    spare = defaultdict(list)
    for fingerprint, owners in kernels.items():
        if fingerprint not in known:
            spare[fingerprint[0]] += owners
    found: list[tf.keras.layers.Layer | None] = []
    used: list[tf.keras.layers.Layer] = []
    for operator in file.operators:
        if operator.name in KERNEL_INPUT:
            owners = _find_candidates(operator, kernels, spare, paths, used)
            used += owners[:1]
        elif operator.name in CONVERSIONS:
            owners = []
        else:
            # Its own name is its output's; an input's is another operator's.
            owners = _find_owners(operator.outputs, paths)
        found.append(owners[0] if owners else None)
    return found
