"""Reads what a TFLite file holds: operators, tensors and options. Nothing is run.

The tables are read one by one, within a budget, and not by the schema's object API
(`ModelT.InitFromObj`) behind a verifier, since the verifiers that Python reaches
(`tf.lite.Interpreter` and `tf.lite.experimental.Analyzer` of TensorFlow 2.19) end the process on a
file without a subgraph, and accept files of 7 kB that take the object API 40 s and 1 GB to read.
Files that were read here are written by the object API, see `export.conversion.stripping`.
"""

import math
import struct
from dataclasses import dataclass, field

import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.operator_options import builtin_options, engine_options, names_of

__all__ = ["BINARY_CONVOLUTION", "File", "Operator", "Tensor", "read"]

BINARY_CONVOLUTION = "LceBconv2d"

# What the readers of flatbuffers and flexbuffers raise where an offset leads astray.
DAMAGE = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


OPERATORS = names_of(schema.BuiltinOperator)
TYPES = names_of(schema.TensorType)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file.

    Attributes:
        graph: the subgraph it belongs to, from 0.
        index: in the subgraph, from 0.
        name: as the converter left it, with the names of all that was fused into it.
        shape: with -1 where a size is open.
        dtype: as the format calls it, such as "FLOAT32"; bit-packed values are "INT32".
        buffer: number of the buffer that holds its values; tensors can share one.
        constant: the bytes of that buffer, uint8; None where the values are computed.
        quantized: whether it has a scale, and so stands for real numbers.
    """

    graph: int
    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    buffer: int
    constant: np.ndarray | None = field(repr=False, compare=False)
    quantized: bool

    @property
    def size(self) -> int:
        """Number of values; an open size counts as 1."""
        return math.prod(max(length, 1) for length in self.shape)

    def values(self) -> np.ndarray:
        """The constant in its shape.

        Raises:
            ValueError: it is not constant, of a type that NumPy lacks, or not as long as its shape.
        """
        if self.constant is None:
            raise ValueError(f"{self.name!r} is not constant.")
        try:
            return self.constant.view(self.dtype.lower()).reshape(self.shape)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`flatbuffer` must be a TFLite file; in this one {self.name!r} cannot be read as "
                f"{self.dtype} of shape {self.shape}."
            ) from error


@dataclass(frozen=True)
class Operator:
    """An operator of a file.

    Attributes:
        graph: the subgraph it belongs to, from 0.
        name: such as "CONV_2D", or a custom one's own, such as "LceBconv2d".
        inputs: tensors; None where an optional one is left out.
        outputs: tensors.
        options: those it has of: `padding` ("SAME" or "VALID"), `strides` and `dilation` (height,
            width), `activation` ("RELU" and so on, "NONE" for none), `depth_multiplier`, `window`
            (height, width of a pooling); for a binary convolution `channels_in` and `pad_values`
            too. Those of operators that are not TensorFlow Lite's or the engine's are left out.
    """

    graph: int
    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, object]


@dataclass(frozen=True)
class File:
    """A TFLite file.

    Attributes:
        operators: in the order in which they run, subgraph after subgraph.
        inputs: of the first subgraph.
        outputs: of the first subgraph.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class _Budget:
    """What a file of this length can hold; offsets that meet could promise far more.

    Every element of a vector takes at least one byte of its own.
    """

    def __init__(self, length: int):
        self.left = length

    def spend(self, count: int) -> range:
        self.left -= count
        if self.left < 0:
            raise ValueError("it claims to hold more than its length")
        return range(count)


def read(flatbuffer: bytes) -> File:
    """Reads a TFLite file.

    Args:
        flatbuffer: the file.

    Returns:
        What it holds. Constants are views into `flatbuffer`, not copies.

    Raises:
        ValueError: the bytes are not a TFLite file, or a damaged one.
    """
    if not isinstance(flatbuffer, bytes | bytearray) or flatbuffer[4:8] != b"TFL3":
        raise ValueError("`flatbuffer` must be a TFLite file; these bytes have no TFL3 mark.")
    try:
        return _read(bytes(flatbuffer))
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"`flatbuffer` must be a TFLite file; this one is damaged: {reason}"
        ) from (error)


def _read(flatbuffer: bytes) -> File:
    model = schema.Model.GetRootAs(flatbuffer, 0)
    budget = _Budget(len(flatbuffer))
    names = [
        _operator_name(model.OperatorCodes(i)) for i in budget.spend(model.OperatorCodesLength())
    ]
    buffers = [_buffer(flatbuffer, model.Buffers(i)) for i in budget.spend(model.BuffersLength())]
    graphs = [model.Subgraphs(i) for i in budget.spend(model.SubgraphsLength())]
    if not graphs:
        raise ValueError("it holds no graph")
    operators, ends = [], []
    for number, graph in enumerate(graphs):
        tensors = [
            _tensor(number, i, graph.Tensors(i), buffers, budget)
            for i in budget.spend(graph.TensorsLength())
        ]
        operators += [
            _operator(number, graph.Operators(i), names, tensors, budget)
            for i in budget.spend(graph.OperatorsLength())
        ]
        ends.append(
            (
                _pick(tensors, graph.InputsAsNumpy(), budget),
                _pick(tensors, graph.OutputsAsNumpy(), budget),
            )
        )
    return File(tuple(operators), *ends[0])


def _text(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace")


def _operator_name(code: schema.OperatorCode) -> str:
    if code.CustomCode():
        return _text(code.CustomCode())
    # Files written before there were more than 127 operators use the older field.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return OPERATORS.get(number, f"operator {number}")


def _buffer(flatbuffer: bytes, buffer: schema.Buffer) -> np.ndarray | None:
    # Files above 2 GB keep the bytes behind everything else.
    if buffer.Offset() > 1:
        return np.frombuffer(flatbuffer, np.uint8, buffer.Size(), buffer.Offset())
    return buffer.DataAsNumpy() if buffer.DataLength() else None


def _tensor(
    graph: int, index: int, tensor: schema.Tensor, buffers: list, budget: _Budget
) -> Tensor:
    budget.spend(tensor.ShapeLength())
    shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else []
    if tensor.ShapeSignatureLength() == len(shape):
        budget.spend(len(shape))
        open_shape = tensor.ShapeSignatureAsNumpy() if len(shape) else []
        shape = [-1 if size < 0 else size for size in open_shape]
    name = _text(tensor.Name())
    budget.spend(len(name))
    quantization = tensor.Quantization()
    return Tensor(
        graph=graph,
        index=index,
        name=name,
        shape=tuple(int(size) for size in shape),
        dtype=TYPES.get(tensor.Type(), f"type {tensor.Type()}"),
        buffer=tensor.Buffer(),
        constant=buffers[tensor.Buffer()],
        quantized=quantization is not None and quantization.ScaleLength() > 0,
    )


def _pick(tensors: list[Tensor], indices: np.ndarray | int, budget: _Budget) -> tuple:
    # Where there is no vector, the schema's reader gives 0 and not an empty array.
    indices = [] if isinstance(indices, int) else indices.tolist()
    budget.spend(len(indices))
    return tuple(tensors[index] if index >= 0 else None for index in indices)


def _operator(
    graph: int, operator: schema.Operator, names: list[str], tensors: list[Tensor], budget: _Budget
) -> Operator:
    name = names[operator.OpcodeIndex()]
    inputs = _pick(tensors, operator.InputsAsNumpy(), budget)
    outputs = _pick(tensors, operator.OutputsAsNumpy(), budget)
    if None in outputs:
        raise ValueError(f"{name} lacks an output")
    if operator.CustomOptionsLength():
        budget.spend(operator.CustomOptionsLength())
        options = engine_options(name, operator.CustomOptionsAsNumpy().tobytes())
    else:
        options = builtin_options(operator)
    if name == BINARY_CONVOLUTION and (
        "channels_in" not in options
        or len(inputs) < 2
        or inputs[1] is None
        or len(inputs[1].shape) != 4
    ):
        raise ValueError(f"{name} lacks its options or a kernel")
    return Operator(graph, name, inputs, outputs, options)
