"""Writes what a TFLite file holds as the delegate's C++ host reads it, see runtime/host/network.h.

All numbers are 32 bits, little-endian; lists and bytes stand behind their length. A file has its
tensors, its nodes, the numbers of its inputs and those of its outputs.
"""

import struct

import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite import flatbuffer

# Types of tensors in a file, and in TensorFlow Lite's C interface.
TYPES = {0: 1, 1: 10, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 11}
POOL_PADDINGS = {schema.Padding.SAME: 1, schema.Padding.VALID: 2}


def integers(values):
    values = [int(value) for value in values]
    return struct.pack(f"<{len(values) + 1}i", len(values), *values)


def text(content):
    return struct.pack("<i", len(content)) + content


def as_list(vector):
    # Where there is no vector, the schema's reader gives 0 and not an empty array.
    return [] if isinstance(vector, int) else vector.tolist()


def dump_tensor(model, tensor):
    quantization = tensor.Quantization()
    scale, zero_point = 0.0, 0
    if quantization is not None and quantization.ScaleLength() == 1:
        scale = quantization.Scale(0)
        zero_point = quantization.ZeroPoint(0) if quantization.ZeroPointLength() == 1 else 0
    buffer = model.Buffers(tensor.Buffer())
    constant = buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b""
    return b"".join(
        (
            struct.pack("<i", TYPES.get(tensor.Type(), 0)),
            integers(as_list(tensor.ShapeAsNumpy())),
            # The file has 64 bits for it, of which TensorFlow Lite takes the lower ones.
            struct.pack("<fIi", scale, zero_point % 2**32, bool(constant)),
            text(constant),
        )
    )


def builtin_parameters(operator):
    """The fields that the delegate reads, as they lie in the structs of its tflite.h."""
    kind = operator.BuiltinOptionsType()
    table = operator.BuiltinOptions()
    if table is None:
        return []

    def options(reader):
        reader.Init(table.Bytes, table.Pos)
        return reader

    if kind in (schema.BuiltinOptions.AddOptions, schema.BuiltinOptions.MulOptions):
        return [options(schema.AddOptions()).FusedActivationFunction()]
    if kind == schema.BuiltinOptions.Pool2DOptions:
        pool = options(schema.Pool2DOptions())
        return [
            POOL_PADDINGS.get(pool.Padding(), 0),
            *(pool.StrideW(), pool.StrideH(), pool.FilterWidth(), pool.FilterHeight()),
            pool.FusedActivationFunction(),
        ]
    if kind == schema.BuiltinOptions.ConcatenationOptions:
        concatenation = options(schema.ConcatenationOptions())
        return [concatenation.Axis(), concatenation.FusedActivationFunction()]
    return []


def dump_operator(model, operator):
    code = model.OperatorCodes(operator.OpcodeIndex())
    custom = operator.CustomOptionsAsNumpy() if operator.CustomOptionsLength() else np.empty(0)
    parameters = builtin_parameters(operator)
    return b"".join(
        (
            struct.pack("<i", max(code.BuiltinCode(), code.DeprecatedBuiltinCode())),
            text(code.CustomCode() or b""),
            integers(as_list(operator.InputsAsNumpy())),
            integers(as_list(operator.OutputsAsNumpy())),
            text(struct.pack(f"<{len(parameters)}i", *parameters)),
            text(custom.astype(np.uint8).tobytes()),
        )
    )


def dump(content):
    """The dump of a file's first graph, in bytes.

    Raises:
        ValueError: the file is damaged, see `export.tflite.flatbuffer.read`, or this notices it.
    """
    flatbuffer.read(content)
    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        tensors = [dump_tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())]
        nodes = [dump_operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength())]
        return b"".join(
            (
                *(struct.pack("<i", len(tensors)), *tensors),
                *(struct.pack("<i", len(nodes)), *nodes),
                integers(as_list(graph.InputsAsNumpy())),
                integers(as_list(graph.OutputsAsNumpy())),
            )
        )
    except flatbuffer.DAMAGE as error:
        raise ValueError(f"the file is damaged: {error}") from error
