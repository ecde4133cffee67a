"""TFLite files as objects of the schema, to change and to write them."""

import flatbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

__all__ = ["pack", "unpack"]


def unpack(content: bytes) -> schema.ModelT:
    """The objects of a file, which has been checked, as by `export.tflite.flatbuffer.read`."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def pack(model: schema.ModelT, builder: flatbuffers.Builder | None = None) -> bytes:
    """The file of these objects.

    Args:
        model: the objects.
        builder: what writes them; None means the usual one.
    """
    builder = builder or flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
