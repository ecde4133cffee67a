"""Cuts a file down to what the delegate runs, so that nothing rounds but the delegate."""

import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.packing import pack, unpack

BUILTIN = {
    getattr(schema.BuiltinOperator, name)
    for name in (
        *("ADD", "MUL", "RELU", "RELU6", "RELU_N1_TO_1", "PRELU", "PAD", "CONCATENATION"),
        *("AVERAGE_POOL_2D", "MAX_POOL_2D"),
    )
}


def cut(flatbuffer):
    """Keeps the operators that the delegate runs.

    Returns:
        The file, whose inputs are what the other operators gave, and random numbers for these.
    """
    model = unpack(flatbuffer)
    model.signatureDefs = []
    (graph,) = model.subgraphs

    def is_kept(operator):
        code = model.operatorCodes[operator.opcodeIndex]
        name = (code.customCode or b"").decode()
        images = len(graph.tensors[operator.outputs[0]].shape) == 4
        is_builtin = max(code.builtinCode, code.deprecatedBuiltinCode) in BUILTIN
        return name.startswith("Lce") or (is_builtin and images)

    def is_constant(tensor):
        return model.buffers[graph.tensors[tensor].buffer].data is not None

    kept = [operator for operator in graph.operators if is_kept(operator)]
    others = [operator for operator in graph.operators if not is_kept(operator)]
    filled = {tensor for operator in kept for tensor in operator.outputs}
    read = {tensor for operator in kept for tensor in operator.inputs if tensor >= 0}
    read_by_others = {tensor for operator in others for tensor in operator.inputs}
    inputs = sorted(tensor for tensor in read - filled if not is_constant(tensor))
    graph.operators = kept
    graph.inputs = np.array(inputs, np.int32)
    graph.outputs = np.array(sorted(filled & {*read_by_others, *graph.outputs}), np.int32)
    rng = np.random.default_rng(0)
    return pack(model), [draw(graph.tensors[tensor], rng) for tensor in inputs]


def draw(tensor, rng):
    """Random numbers for a tensor: normally distributed ones, or all that int8 has."""
    if tensor.type == schema.TensorType.INT8:
        return rng.integers(-128, 127, tensor.shape, np.int8, endpoint=True)
    return rng.normal(size=tensor.shape).astype(np.float32)
