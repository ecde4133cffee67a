"""Splits a TFLite file into files of some of its operators, to measure where its time goes."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from export.proof.operators import count_macs
from export.tflite.backends import load_in_tensorflow_lite
from export.tflite.file import BINARY_CONVOLUTION, File, Operator
from export.tflite.flatbuffer import read
from export.tflite.packing import pack, unpack

__all__ = [
    "OTHER",
    "Subgraph",
    "count_multiply_accumulates",
    "extract_subgraphs",
    "keep_operators",
]

OTHER = "other operators"
# The engine packs the signs of 32 channels into a word; on 64-bit ARM it takes 128 bits at a time.
WIDTHS = (32, 64, 128, 256, math.inf)
PACKED = "the engine packs the signs of 32 channels into a word of 32 bits, and a pixel of these "
FEW_WORDS = {32: PACKED + "has one word", 64: PACKED + "has two words"}


@dataclass(frozen=True)
class Subgraph:
    """Some operators of a file, in a file of their own.

    Attributes:
        name: which operators they are.
        operators: how often each occurs, the most frequent first.
        multiply_accumulates: of one inference.
        words: of binary convolutions with few channels, how little a pixel gives the engine to do.
        file: a file of these operators alone. Zeros stand for what other operators would compute.
    """

    name: str
    operators: dict[str, int]
    multiply_accumulates: int
    words: str
    file: File = field(repr=False)


def count_multiply_accumulates(flatbuffer: bytes | File) -> int:
    """Counts the multiply-accumulates of one inference, in convolutions and dense operators.

    Args:
        flatbuffer: a TFLite file.

    Raises:
        ValueError: the file is damaged.
    """
    return sum(map(count_macs, read(flatbuffer).operators))


def _find_width(operator: Operator) -> float | None:
    """The least of `WIDTHS` that the channels of a binary convolution fit into; of others None."""
    if operator.name != BINARY_CONVOLUTION:
        return None
    return next(width for width in WIDTHS if operator.options["channels_in"] <= width)


def _name_group(width: float | None) -> str:
    if width is None:
        return OTHER
    narrower = max((other for other in WIDTHS if other < width), default=0)
    if width == math.inf:
        return f"binary convolutions of more than {narrower} channels"
    return f"binary convolutions of {narrower + 1} to {width} channels"


def keep_operators(file: File, chosen: list[int]) -> File:
    """A file with some operators of a file; tensors that others would compute become variables.

    Args:
        file: the file, which `load_in_tensorflow_lite` has checked.
        chosen: numbers of operators in its first graph.
    """
    model = unpack(file.content)
    graph = model.subgraphs[0]
    graph.operators = [graph.operators[index] for index in chosen]
    given = {*graph.inputs, *(index for kept in graph.operators for index in kept.outputs)}
    needed = {index for kept in graph.operators for index in kept.inputs if index >= 0}
    for index in needed - given:
        tensor = graph.tensors[index]
        buffer = model.buffers[tensor.buffer]
        if buffer.data is None and not buffer.offset:
            tensor.isVariable = True
    # A single output, so that hardly any time goes into copying outputs.
    graph.outputs = [graph.operators[-1].outputs[0]]
    model.signatureDefs = None
    return read(pack(model))


def extract_subgraphs(flatbuffer: bytes | File) -> list[Subgraph]:
    """Splits a file: binary convolutions by their input channels, and all other operators.

    Their latencies add up to about that of the file.

    Args:
        flatbuffer: a TFLite file with one graph.

    Returns:
        The subgraphs that have operators, binary convolutions of few channels first.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    load_in_tensorflow_lite(file)  # checks what the schema's object API trusts
    operators = [operator for operator in file.operators if operator.graph == 0]
    chosen = defaultdict(list)
    for index, operator in enumerate(operators):
        chosen[_find_width(operator)].append(index)
    return [
        Subgraph(
            _name_group(width),
            dict(Counter(operators[index].name for index in chosen[width]).most_common()),
            sum(count_macs(operators[index]) for index in chosen[width]),
            FEW_WORDS.get(width, ""),
            keep_operators(file, chosen[width]),
        )
        for width in (*WIDTHS, None)
        if width in chosen
    ]
