"""What a TFLite file calls its inputs and outputs, and in which order the model has them."""

from larq_compute_engine.mlir.python import tflite_schema as schema

from export.flatbuffer import read

__all__ = ["input_names", "model_order", "output_names"]


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


def model_order(names: list[str]) -> list[int]:
    """For each input or output of the file, its number among those of the model.

    Args:
        names: of the file's, in its order. `export.convert` names those of the model so that
            their alphabetical order is the model's.
    """
    ordered = sorted(names)
    return [ordered.index(name) for name in names]


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
