"""What a TFLite file calls its inputs and outputs, which it has in the order of the model."""

from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.flatbuffer import read

__all__ = ["input_names", "output_names"]


def input_names(flatbuffer: bytes) -> list[str]:
    """The names of the inputs, in the order of the file's tensors.

    Args:
        flatbuffer: the file.

    Returns:
        Those of its signature; those of its tensors where it has none.

    Raises:
        ValueError: the file is damaged.
    """
    return _names(flatbuffer, "Inputs")


def output_names(flatbuffer: bytes) -> list[str]:
    """The names of the outputs; as `input_names`."""
    return _names(flatbuffer, "Outputs")


def _names(flatbuffer: bytes, which: str) -> list[str]:
    tensors = getattr(read(flatbuffer), which.lower())
    model = schema.Model.GetRootAs(flatbuffer, 0)
    named = {}
    if model.SignatureDefsLength():
        signature = model.SignatureDefs(0)
        for number in range(getattr(signature, f"{which}Length")()):
            end = getattr(signature, which)(number)
            named[end.TensorIndex()] = end.Name().decode("utf-8", "replace")
    return [named.get(tensor.index, tensor.name) for tensor in tensors]
