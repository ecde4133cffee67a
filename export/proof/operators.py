"""Summarizes each operator of a TFLite file: kind, fusion, bits, bytes, multiply-accumulates."""

import dataclasses

import numpy as np

from export.proof.mapping import KERNEL_INPUT
from export.tflite.file import BINARY_CONVOLUTION, ENGINE_PREFIX, File, Operator, Tensor

__all__ = ["OperatorSummary", "count_macs", "summarize_operators"]

INTEGERS = ("INT8", "UINT8", "INT16")


@dataclasses.dataclass(frozen=True)
class OperatorSummary:
    """What is known of an operator of a file.

    Attributes:
        layer: name of the layer that it computes; "" where none was found.
        operator: its name, such as "LceBconv2d".
        kind: "binary", "int8", "float32" or "other", by what it computes with; "int8" only where
            the integers stand for real numbers.
        padding: "SAME" or "VALID"; "" for an operator without padding.
        strides: height and width; None for an operator without strides.
        fused: what the converter fused into it, of "scale", "bias", an activation, and "sign".
        packed_input: whether it reads bits.
        packed_output: whether it writes bits.
        constant_bytes: of its constants; one that several operators share counts for the first.
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

    def list_cells(self, *, joiner: str, times: str) -> list[str]:
        """The row of a table: the attributes as text, those that are alike in one cell.

        Args:
            joiner: between what was fused, and between what is packed.
            times: between the height and the width of strides.
        """
        packed = ((self.packed_input, "in"), (self.packed_output, "out"))
        macs = self.binary_macs + self.float_macs
        return [
            self.layer,
            self.operator,
            self.kind,
            self.padding,
            times.join(map(str, self.strides or ())),
            joiner.join(self.fused),
            joiner.join(name for is_packed, name in packed if is_packed),
            f"{self.constant_bytes:,}" if self.constant_bytes else "",
            f"{macs:,}" if macs else "",
        ]


def summarize_operators(file: File, names: list[str]) -> tuple[OperatorSummary, ...]:
    """Summarizes each operator of a file.

    Args:
        file: the file.
        names: for each operator the name of its layer.

    Returns:
        A summary of each operator, in the order of the file.
    """
    counted = set()
    summaries = []
    for operator, name in zip(file.operators, names, strict=True):
        constants = {
            tensor.buffer: len(tensor.constant)
            for tensor in operator.inputs
            if tensor is not None and tensor.constant is not None and tensor.buffer not in counted
        }
        counted |= constants.keys()
        macs = count_macs(operator)
        binary = operator.name == BINARY_CONVOLUTION
        summaries.append(
            OperatorSummary(
                layer=name,
                operator=operator.name,
                kind=_find_kind(operator),
                padding=operator.options.get("padding", ""),
                strides=operator.options.get("strides"),
                fused=_list_fused(operator),
                packed_input=_is_packed(operator, operator.inputs),
                packed_output=_is_packed(operator, operator.outputs),
                constant_bytes=sum(constants.values()),
                binary_macs=macs if binary else 0,
                float_macs=0 if binary else macs,
            )
        )
    return tuple(summaries)


def _find_kind(operator: Operator) -> str:
    if operator.name.startswith(ENGINE_PREFIX):
        return "binary"
    tensors = [tensor for tensor in (*operator.inputs[:2], *operator.outputs) if tensor is not None]
    # Without a scale they are whole numbers, such as pixels or indices.
    if any(tensor.quantized and tensor.dtype in INTEGERS for tensor in tensors):
        return "int8"
    types = {tensor.dtype for tensor in tensors}
    return "float32" if "FLOAT32" in types else "other"


def _is_packed(operator: Operator, tensors: tuple[Tensor | None, ...]) -> bool:
    # Only the engine's operators read or write bits, which they pack into 32-bit words.
    first = tensors[0] if tensors else None
    return operator.name.startswith(ENGINE_PREFIX) and first is not None and first.dtype == "INT32"


def _list_fused(operator: Operator) -> tuple[str, ...]:
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
    if operator.name == BINARY_CONVOLUTION and _is_packed(operator, operator.outputs):
        fused.append("sign")
    return tuple(fused)


def count_macs(operator: Operator) -> int:
    """Counts the multiply-accumulates of a convolution or dense operator; 0 for any other."""
    place = KERNEL_INPUT.get(operator.name)
    tensor = operator.inputs[place] if place and len(operator.inputs) > place else None
    if tensor is None or not tensor.shape or not operator.outputs:
        return 0
    output = operator.outputs[0]
    if operator.name == BINARY_CONVOLUTION:
        filters, height, width, words = tensor.shape
        # Where it writes bits, the output's own size is in words.
        channels = min(32 * words, operator.options["channels_in"])
        return output.positions * filters * height * width * channels
    if operator.name == "DEPTHWISE_CONV_2D":
        return output.size * tensor.shape[1] * tensor.shape[2]
    if operator.name == "TRANSPOSE_CONV":
        return tensor.size * operator.inputs[2].positions
    return output.size * tensor.size // max(tensor.shape[0], 1)
