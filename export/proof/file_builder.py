"""Builds TFLite files operator by operator."""

import numpy as np
from flatbuffers import flexbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.packing import pack

__all__ = ["FileBuilder"]

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
}


class FileBuilder:
    """A TFLite file of one graph that is being built; tensors are known by their numbers."""

    def __init__(self):
        self._file = schema.ModelT()
        self._file.version = 3
        self._file.buffers = [schema.BufferT()]
        self._file.operatorCodes = []
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._file.subgraphs = [self._graph]

    def add_tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "float32",
        *,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        """Adds a tensor that an operator, or the caller, fills.

        Args:
            shape: its sizes.
            dtype: "float32", "int32" or "int8".
            scale: what a step of its integers stands for; None if they stand for themselves.
            zero_point: the integer that stands for 0.
        """
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), TYPES[dtype], 0
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def add_constant(self, values: np.ndarray) -> int:
        """Adds a constant tensor of float32, int32 or int8."""
        number = self.add_tensor(values.shape, values.dtype.name)
        buffer = schema.BufferT()
        buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._graph.tensors[number].buffer = len(self._file.buffers)
        self._file.buffers.append(buffer)
        return number

    def add_custom(
        self, name: str, inputs: list[int], output: int, options: dict | None = None
    ) -> None:
        """Adds a custom operator; -1 stands for an input that is left out."""
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name
        operator = self._add(code, inputs, output)
        if options:
            operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)

    def _add(self, code: schema.OperatorCodeT, inputs: list[int], output: int) -> schema.OperatorT:
        code.version = 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._file.operatorCodes)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        self._file.operatorCodes.append(code)
        self._graph.operators.append(operator)
        return operator

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The file, with these tensors as inputs and outputs."""
        self._graph.inputs = np.array(inputs, np.int32)
        self._graph.outputs = np.array(outputs, np.int32)
        return pack(self._file)
