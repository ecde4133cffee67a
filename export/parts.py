"""The parts of a TFLite file as files of their own, to see what takes its time."""

import math
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import flatbuffers
from flatbuffers import flexbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.kernels import tensorflow_lite

__all__ = ["OTHER", "Part", "multiply_accumulates", "parts"]

BINARY_CONVOLUTION = "LceBconv2d"
OTHER = "other operators"
# The engine packs the signs of 32 channels into a word; a kernel for 64-bit ARM takes 128 bits.
WORD = 32
WIDTHS = (32, 64, 128, 256)
FEW_WORDS = {
    "binary convolutions of 1 to 32 channels": "the engine packs the signs of 32 channels into a "
    "word of 32 bits, and a pixel of these has one word",
    "binary convolutions of 33 to 64 channels": "the engine packs the signs of 32 channels into a "
    "word of 32 bits, and a pixel of these has two words",
}


@dataclass(frozen=True)
class Part:
    """Some operators of a file.

    Attributes:
        name: what they are.
        operators: how often each occurs, the most frequent first.
        multiply_accumulates: of one inference.
        words: of binary convolutions with few channels, how little a pixel gives the engine to do.
        flatbuffer: a file of these operators alone. What the others would compute is zeros.
    """

    name: str
    operators: dict[str, int]
    multiply_accumulates: int
    words: str
    flatbuffer: bytes = field(repr=False)


def _read(flatbuffer: bytes) -> schema.ModelT:
    tensorflow_lite(flatbuffer)  # checks the file, which the schema's reader takes on trust
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))


def _names(file: schema.ModelT) -> list[str]:
    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    return [
        code.customCode.decode(errors="replace")
        if code.customCode
        # Files written before there were more than 127 operators use the older field.
        else builtin.get(max(code.builtinCode, code.deprecatedBuiltinCode), "unknown")
        for code in file.operatorCodes
    ]


def _channels_in(operator: schema.OperatorT) -> int:
    try:
        return int(flexbuffers.Loads(bytes(operator.customOptions))["channels_in"])
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"a {BINARY_CONVOLUTION} lacks its `channels_in`: {error}") from error


def _multiply_accumulates(
    name: str, operator: schema.OperatorT, tensors: list[schema.TensorT]
) -> int:
    """Of one operator; 0 of all but convolutions and fully connected layers."""
    if name not in (BINARY_CONVOLUTION, "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    kernel = [int(size) for size in tensors[operator.inputs[1]].shape]
    outputs = [int(size) for size in tensors[operator.outputs[0]].shape]
    if name == "FULLY_CONNECTED":
        return math.prod(outputs) * kernel[-1]
    pixels, (filters, height, width, channels) = math.prod(outputs[:-1]), kernel
    if name == "DEPTHWISE_CONV_2D":
        filters, channels = channels, 1
    elif name == BINARY_CONVOLUTION:
        # In words, of one group; an output may be packed as well.
        channels = min(WORD * channels, _channels_in(operator))
    return pixels * filters * height * width * channels


def multiply_accumulates(flatbuffer: bytes) -> int:
    """Multiply-accumulates of one inference, in convolutions and fully connected layers.

    Args:
        flatbuffer: a TFLite file.

    Raises:
        ValueError: the file is damaged.
    """
    file = _read(flatbuffer)
    names, graph = _names(file), file.subgraphs[0]
    return sum(
        _multiply_accumulates(names[one.opcodeIndex], one, graph.tensors) for one in graph.operators
    )


def _part_name(name: str, operator: schema.OperatorT) -> str:
    if name != BINARY_CONVOLUTION:
        return OTHER
    channels = _channels_in(operator)
    lower = 0
    for upper in WIDTHS:
        if channels <= upper:
            return f"binary convolutions of {lower + 1} to {upper} channels"
        lower = upper
    return f"binary convolutions of more than {WIDTHS[-1]} channels"


def _alone(flatbuffer: bytes, chosen: list[int]) -> bytes:
    """A file with some operators of a file; tensors that others would compute become variables."""
    file = _read(flatbuffer)
    graph = file.subgraphs[0]
    graph.operators = [graph.operators[index] for index in chosen]
    given = {*graph.inputs, *(index for one in graph.operators for index in one.outputs)}
    for index in {index for one in graph.operators for index in one.inputs if index >= 0} - given:
        tensor = graph.tensors[index]
        buffer = file.buffers[tensor.buffer]
        if buffer.data is None and not buffer.offset:
            tensor.isVariable = True
    # One output, so that hardly any time goes into copying what comes out.
    graph.outputs = [graph.operators[-1].outputs[0]]
    file.signatureDefs = None
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def parts(flatbuffer: bytes) -> list[Part]:
    """Takes a file apart: binary convolutions by their input channels, and all other operators.

    Their latencies add up to about that of the file.

    Args:
        flatbuffer: a TFLite file with one graph.

    Returns:
        The parts that have operators, binary convolutions of few channels first.

    Raises:
        ValueError: the file is damaged.
    """
    file = _read(flatbuffer)
    names, graph = _names(file), file.subgraphs[0]
    chosen = defaultdict(list)
    for index, operator in enumerate(graph.operators):
        name = names[operator.opcodeIndex]
        channels = _channels_in(operator) if name == BINARY_CONVOLUTION else math.inf
        chosen[channels, _part_name(name, operator)].append(index)
    merged = defaultdict(list)
    for (_, name), indices in sorted(chosen.items(), key=lambda item: item[0][0]):
        merged[name] += indices
    return [
        Part(
            name,
            dict(Counter(names[graph.operators[i].opcodeIndex] for i in indices).most_common()),
            sum(
                _multiply_accumulates(
                    names[graph.operators[i].opcodeIndex], graph.operators[i], graph.tensors
                )
                for i in indices
            ),
            FEW_WORDS.get(name, ""),
            _alone(flatbuffer, sorted(indices)),
        )
        for name, indices in merged.items()
    ]
