"""What is in a TFLite file, against what should be."""

from collections import Counter
from dataclasses import dataclass

import tensorflow as tf
from larq_compute_engine.mlir.python import tflite_schema as schema

__all__ = ["Audit", "audit"]

BINARY_CONVOLUTION = "LceBconv2d"


@dataclass(frozen=True)
class Audit:
    """The operators of a TFLite file and what became of the binary convolutions.

    Attributes:
        operators: how often each operator occurs, the most frequent first.
        expected: names of the layers that should be binary convolutions.
        binary: number of binary convolutions in the file.
        lost: names of those that are not among them.
    """

    operators: dict[str, int]
    expected: tuple[str, ...]
    binary: int
    lost: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every convolution that should be binary is."""
        return not self.lost and self.binary == len(self.expected)

    def __str__(self) -> str:
        rows = [f"  {name:<20} {count:>4}" for name, count in self.operators.items()]
        lines = ["Operators:", *rows, f"Binary convolutions: {self.binary} of {len(self.expected)}"]
        if self.lost:
            lines.append(f"Not binary: {', '.join(self.lost)}")
        return "\n".join(lines)


def binary_convolutions(model: tf.keras.Model) -> list[tf.keras.layers.Layer]:
    """The convolutions of a model whose kernel and input are quantized to one bit."""

    def is_binary(layer, quantizer):
        return getattr(getattr(layer, quantizer, None), "precision", None) == 1

    return [
        layer
        for layer in model.submodules
        if isinstance(layer, tf.keras.layers.Conv2D)
        and is_binary(layer, "kernel_quantizer")
        and is_binary(layer, "input_quantizer")
    ]


def _operator_names(file: schema.ModelT) -> list[str]:
    builtin = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
    return [
        code.customCode.decode()
        if code.customCode
        # Files written before there were more than 127 operators use the older field.
        else builtin[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in file.operatorCodes
    ]


def audit(flatbuffer: bytes, model: tf.keras.Model) -> Audit:
    """Lists the operators of a converted model and looks for each binary convolution.

    A binary convolution reads from an LceQuantize that is named after the layer. Where the file
    has one for each layer, none is lost; a layer whose name no LceBconv2d can be traced to is
    reported as lost.

    Args:
        flatbuffer: the TFLite file that `export.convert` made of the model.
        model: the model.

    Returns:
        The audit.

    Raises:
        ValueError: the bytes are not a TFLite file.
    """
    if flatbuffer[4:8] != b"TFL3":
        raise ValueError("`flatbuffer` must be a TFLite file; these bytes have no TFL3 mark.")
    file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    names = _operator_names(file)
    operators = [(names[op.opcodeIndex], op) for graph in file.subgraphs for op in graph.operators]
    counts = Counter(name for name, _ in operators)
    expected = [layer.name for layer in binary_convolutions(model)]
    binary = counts[BINARY_CONVOLUTION]
    lost = () if binary >= len(expected) else _lost(file, names, expected)
    return Audit(dict(counts.most_common()), tuple(expected), binary, lost)


def _lost(file: schema.ModelT, names: list[str], expected: list[str]) -> tuple[str, ...]:
    """The layers that no binary convolution in the file can be traced back to by a tensor name."""
    found = set()
    for graph in file.subgraphs:
        for op in graph.operators:
            if names[op.opcodeIndex] == BINARY_CONVOLUTION:
                tensors = [graph.tensors[index].name.decode() for index in op.inputs if index >= 0]
                found |= {name for name in expected if any(f"/{name}/" in t for t in tensors)}
    return tuple(name for name in expected if name not in found)
