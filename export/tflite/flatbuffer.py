"""Reads what a TFLite file holds: operators, tensors and options. Nothing is run.

The tables are read one by one, within a budget, and not by the schema's object API
(`ModelT.InitFromObj`) behind a verifier, since the verifiers that Python reaches
(`tf.lite.Interpreter` and `tf.lite.experimental.Analyzer` of TensorFlow 2.19) end the process on a
file without a subgraph, and accept files of 7 kB that take the object API 40 s and 1 GB to read.
Files that were read here are written by the object API, see `export.conversion.stripping`.
"""

import struct

import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.file import BINARY_CONVOLUTION, File, Operator, Tensor
from export.tflite.operator_options import list_names, read_builtin_options, read_engine_options

__all__ = ["read"]

# What the readers of flatbuffers and flexbuffers raise where an offset points to a wrong place.
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


OPERATORS = list_names(schema.BuiltinOperator)
TYPES = list_names(schema.TensorType)


class _Budget:
    """Limits what is read to what a file of this length can hold.

    Every element of a vector takes at least one byte of its own, unless offsets point to the same
    place: a small file can then claim to hold millions of elements.
    """

    def __init__(self, length: int):
        self.left = length

    def spend(self, count: int) -> range:
        """The numbers of `count` elements, which are taken off the budget."""
        self.left -= count
        if self.left < 0:
            raise ValueError("it claims to hold more than its length")
        return range(count)


def read(flatbuffer: bytes | File) -> File:
    """Parses a TFLite file.

    Args:
        flatbuffer: the file's bytes; a file that has been parsed is returned as it is, so that
            functions can take either.

    Returns:
        The file. Constants are views into its bytes, not copies.

    Raises:
        ValueError: the bytes are not a TFLite file, or a damaged one.
    """
    if isinstance(flatbuffer, File):
        return flatbuffer
    if not isinstance(flatbuffer, bytes | bytearray) or flatbuffer[4:8] != b"TFL3":
        raise ValueError("`flatbuffer` must be a TFLite file; these bytes have no TFL3 mark.")
    try:
        return _read(bytes(flatbuffer))
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"`flatbuffer` must be a TFLite file; this one is damaged: {reason}"
        ) from error


def _read(flatbuffer: bytes) -> File:
    model = schema.Model.GetRootAs(flatbuffer, 0)
    budget = _Budget(len(flatbuffer))
    names = [
        _read_operator_name(model.OperatorCodes(i))
        for i in budget.spend(model.OperatorCodesLength())
    ]
    buffers = [
        _read_buffer(flatbuffer, model.Buffers(i)) for i in budget.spend(model.BuffersLength())
    ]
    graphs = [model.Subgraphs(i) for i in budget.spend(model.SubgraphsLength())]
    if not graphs:
        raise ValueError("it holds no graph")
    operators, ends = [], []
    for number, graph in enumerate(graphs):
        tensors = [
            _read_tensor(number, i, graph.Tensors(i), buffers, budget)
            for i in budget.spend(graph.TensorsLength())
        ]
        operators += [
            _read_operator(number, graph.Operators(i), names, tensors, budget)
            for i in budget.spend(graph.OperatorsLength())
        ]
        inputs = _pick(tensors, graph.InputsAsNumpy(), budget)
        ends.append((inputs, _pick(tensors, graph.OutputsAsNumpy(), budget)))
    inputs, outputs = ends[0]
    if None in inputs + outputs:
        raise ValueError("it lacks an input or an output")
    return File(
        flatbuffer,
        tuple(operators),
        inputs,
        outputs,
        _read_signature_names(model, "Inputs", inputs, budget),
        _read_signature_names(model, "Outputs", outputs, budget),
    )


def _read_signature_names(
    model: schema.Model, ends: str, tensors: tuple[Tensor, ...], budget: _Budget
) -> tuple[str, ...]:
    """The names of a file's "Inputs" or "Outputs" in the order of its tensors."""
    names = {}
    if model.SignatureDefsLength():
        signature = model.SignatureDefs(0)
        for number in budget.spend(getattr(signature, f"{ends}Length")()):
            end = getattr(signature, ends)(number)
            names[end.TensorIndex()] = _decode(end.Name())
            budget.spend(len(names[end.TensorIndex()]))
    return tuple(names.get(tensor.index, tensor.name) for tensor in tensors)


def _decode(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace")


def _read_operator_name(code: schema.OperatorCode) -> str:
    if code.CustomCode():
        return _decode(code.CustomCode())
    # Files written before there were more than 127 operators use the older field.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    return OPERATORS.get(number, f"operator {number}")


def _read_buffer(flatbuffer: bytes, buffer: schema.Buffer) -> np.ndarray | None:
    # Files above 2 GB keep the bytes behind everything else.
    if buffer.Offset() > 1:
        return np.frombuffer(flatbuffer, np.uint8, buffer.Size(), buffer.Offset())
    return buffer.DataAsNumpy() if buffer.DataLength() else None


def _read_tensor(
    graph: int, index: int, tensor: schema.Tensor, buffers: list, budget: _Budget
) -> Tensor:
    budget.spend(tensor.ShapeLength())
    shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else []
    if tensor.ShapeSignatureLength() == len(shape):
        budget.spend(len(shape))
        open_shape = tensor.ShapeSignatureAsNumpy() if len(shape) else []
        shape = [-1 if size < 0 else size for size in open_shape]
    name = _decode(tensor.Name())
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


def _read_operator(
    graph: int, operator: schema.Operator, names: list[str], tensors: list[Tensor], budget: _Budget
) -> Operator:
    name = names[operator.OpcodeIndex()]
    inputs = _pick(tensors, operator.InputsAsNumpy(), budget)
    outputs = _pick(tensors, operator.OutputsAsNumpy(), budget)
    if None in outputs:
        raise ValueError(f"{name} lacks an output")
    if operator.CustomOptionsLength():
        budget.spend(operator.CustomOptionsLength())
        options = read_engine_options(name, operator.CustomOptionsAsNumpy().tobytes())
    else:
        options = read_builtin_options(operator)
    if name == BINARY_CONVOLUTION and (
        "channels_in" not in options
        or len(inputs) < 2
        or inputs[1] is None
        or len(inputs[1].shape) != 4
    ):
        raise ValueError(f"{name} lacks its options or a kernel")
    return Operator(graph, name, inputs, outputs, options)
