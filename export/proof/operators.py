"""The operators of a TFLite file one by one: kind, fusion, bits, bytes, multiply-accumulates."""

import dataclasses
import math

import numpy as np

from export.proof.mapping import KERNEL_INPUT
from export.tflite.flatbuffer import BINARY_CONVOLUTION, File, Operator

__all__ = ["Row", "macs", "rows"]

INTEGERS = ("INT8", "UINT8", "INT16")


@dataclasses.dataclass(frozen=True)
class Row:
    """An operator of a file.

    Attributes:
        layer: the layer it came from; "" where none could be found.
        operator: its name, such as "LceBconv2d".
        kind: "binary", "int8", "float32" or "other", by what it computes with; "int8" only where
            the integers stand for real numbers.
        padding: "SAME" or "VALID"; "" where it has none.
        strides: height and width; None where it has none.
        fused: what the converter fused into it, of "scale", "bias", an activation, and "sign".
        packed_input: whether it reads bits.
        packed_output: whether it writes bits.
        constant_bytes: of its constants; one that several operators share counts at the first.
        binary_macs: multiply-accumulates of bits.
        float_macs: all others.
    """

    layer: str
    operator: str
    kind: str
    padding: str
    strides: tuple[int, int] | None
    fused: tuple[str, ...]
    packed_input: bool
    packed_output: bool
    constant_bytes: int
    binary_macs: int
    float_macs: int


def rows(file: File, names: list[str]) -> tuple[Row, ...]:
    """Describes each operator of a file.

    Args:
        file: the file.
        names: the layer of each operator.
    """
    counted = set()
    found = []
    for operator, name in zip(file.operators, names, strict=True):
        constants = {
            one.buffer: len(one.constant)
            for one in operator.inputs
            if one is not None and one.constant is not None and one.buffer not in counted
        }
        counted |= constants.keys()
        count = macs(operator)
        binary = operator.name == BINARY_CONVOLUTION
        found.append(
            Row(
                layer=name,
                operator=operator.name,
                kind=_kind(operator),
                padding=operator.options.get("padding", ""),
                strides=operator.options.get("strides"),
                fused=_fused(operator),
                packed_input=_packed(operator, operator.inputs),
                packed_output=_packed(operator, operator.outputs),
                constant_bytes=sum(constants.values()),
                binary_macs=count if binary else 0,
                float_macs=0 if binary else count,
            )
        )
    return tuple(found)


def _kind(operator: Operator) -> str:
    if operator.name.startswith("Lce"):
        return "binary"
    tensors = [one for one in (*operator.inputs[:2], *operator.outputs) if one is not None]
    # Without a scale they are whole numbers, such as pixels or places.
    if any(one.quantized and one.dtype in INTEGERS for one in tensors):
        return "int8"
    types = {one.dtype for one in tensors}
    return "float32" if "FLOAT32" in types else "other"


def _packed(operator: Operator, tensors: tuple) -> bool:
    # Only the engine's operators know bits, which they keep in 32-bit words.
    first = tensors[0] if tensors else None
    return operator.name.startswith("Lce") and first is not None and first.dtype == "INT32"


def _fused(operator: Operator) -> tuple[str, ...]:
    def differs(place: int, plain: float) -> bool:
        tensor = operator.inputs[place] if len(operator.inputs) > place else None
        if tensor is None or tensor.constant is None:
            return tensor is not None
        return bool(np.any(tensor.values() != plain))

    fused = []
    if operator.name == BINARY_CONVOLUTION:
        places = (("scale", 2, 1), ("bias", 3, 0))
        fused = [name for name, place, plain in places if differs(place, plain)]
    elif operator.name in KERNEL_INPUT:
        fused = ["bias"] if differs(3 if operator.name == "TRANSPOSE_CONV" else 2, 0) else []
    activation = operator.options.get("activation", "NONE")
    if activation != "NONE":
        fused.append(str(activation).lower())
    if operator.name == BINARY_CONVOLUTION and _packed(operator, operator.outputs):
        fused.append("sign")
    return tuple(fused)


def macs(operator: Operator) -> int:
    """Multiply-accumulates of a convolution or dense operator; 0 for all others."""
    place = KERNEL_INPUT.get(operator.name)
    tensor = operator.inputs[place] if place and len(operator.inputs) > place else None
    if tensor is None or not tensor.shape or not operator.outputs:
        return 0
    output = operator.outputs[0]
    if operator.name == BINARY_CONVOLUTION:
        filters, height, width, words = tensor.shape
        # Where it writes bits, the output's own size is in words.
        positions = math.prod(output.shape[:-1])
        channels = min(32 * words, operator.options["channels_in"])
        return positions * filters * height * width * channels
    if operator.name == "DEPTHWISE_CONV_2D":
        return output.size * tensor.shape[1] * tensor.shape[2]
    if operator.name == "TRANSPOSE_CONV":
        return tensor.size * math.prod(operator.inputs[2].shape[:-1])
    return output.size * tensor.size // max(tensor.shape[0], 1)
