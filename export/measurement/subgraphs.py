"""The parts of a TFLite file as files of their own, to see what takes its time."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import flatbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.proof.operators import macs
from export.tflite.backends import tensorflow_lite
from export.tflite.flatbuffer import BINARY_CONVOLUTION, Operator, read

__all__ = ["OTHER", "Part", "multiply_accumulates", "parts"]

OTHER = "other operators"
# The engine packs the signs of 32 channels into a word; on 64-bit ARM it takes 128 bits at a time.
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


def multiply_accumulates(flatbuffer: bytes) -> int:
    """Multiply-accumulates of one inference, in convolutions and fully connected layers.

    Args:
        flatbuffer: a TFLite file.

    Raises:
        ValueError: the file is damaged.
    """
    return sum(macs(operator) for operator in read(flatbuffer).operators)


def _part_name(operator: Operator) -> str:
    if operator.name != BINARY_CONVOLUTION:
        return OTHER
    lower = 0
    for upper in WIDTHS:
        if operator.options["channels_in"] <= upper:
            return f"binary convolutions of {lower + 1} to {upper} channels"
        lower = upper
    return f"binary convolutions of more than {WIDTHS[-1]} channels"


def _alone(flatbuffer: bytes, chosen: list[int]) -> bytes:
    """A file with some operators of a file; tensors that others would compute become variables."""
    tensorflow_lite(flatbuffer)  # checks the file, which the schema's reader takes on trust
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
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
    operators = [one for one in read(flatbuffer).operators if one.graph == 0]
    chosen = defaultdict(list)
    for index, operator in enumerate(operators):
        chosen[operator.options.get("channels_in", math.inf), _part_name(operator)].append(index)
    merged = defaultdict(list)
    for (_, name), indices in sorted(chosen.items(), key=lambda item: item[0][0]):
        merged[name] += indices
    return [
        Part(
            name,
            dict(Counter(operators[index].name for index in indices).most_common()),
            sum(macs(operators[index]) for index in indices),
            FEW_WORDS.get(name, ""),
            _alone(flatbuffer, sorted(indices)),
        )
        for name, indices in merged.items()
    ]
