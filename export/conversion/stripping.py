"""Removes what no interpreter reads from a TFLite file: a third of a small binary network's.

That is: the names of inner tensors (the converter joins the names of everything that it fused), the
quantization tables of tensors that are not quantized, duplicates of buffers and of lists of
numbers, a description, and the version of TensorFlow that the file would need. The names of inputs
and outputs stay, and so do signatures, metadata of other kinds, and all numbers.
"""

import flatbuffers
import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.tflite.file import File
from export.tflite.flatbuffer import read
from export.tflite.packing import pack, unpack

__all__ = ["strip"]

# Metadata that a converter writes about itself.
UNREAD = (b"min_runtime_version", b"CONVERSION_METADATA")
# Of a buffer's bytes, which interpreters read in place. The schema asks for this alignment, but the
# code that writes a file in Python ignores it.
ALIGNMENT = 16


class _Builder(flatbuffers.Builder):
    """Writes each list of numbers once: many shapes and options are the same."""

    def __init__(self, size: int):
        super().__init__(size)
        self.written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Writes a list of numbers unless the same was written, and returns where it is."""
        key = (x.dtype.str, x.tobytes())
        if key not in self.written:
            self.written[key] = super().CreateNumpyVector(x)
        return self.written[key]


class _Buffer(schema.BufferT):
    """A buffer whose bytes begin at a multiple of 16."""

    def Pack(self, builder: flatbuffers.Builder) -> int:
        """Writes the buffer, and returns where it is."""
        length = 0 if self.data is None else len(self.data)
        if length:
            builder.StartVector(1, length, ALIGNMENT)
            builder.head -= length
            builder.Bytes[builder.head : builder.head + length] = self.data.tobytes()
            data = builder.EndVector()
        schema.BufferStart(builder)
        if length:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def strip(flatbuffer: bytes | File) -> bytes:
    """Removes from a TFLite file what no interpreter reads.

    Operators can then no longer be mapped to layers by name, so audit a file before.

    Args:
        flatbuffer: the file, such as `export.convert` makes.

    Returns:
        A file that computes the same, with buffers at multiples of 16 bytes. A file above 2 GB,
        which keeps its buffers behind everything else, is returned as it is.

    Raises:
        ValueError: the bytes are not a TFLite file, or a damaged one.
    """
    content = read(flatbuffer).content  # `read` checks what the schema's object API trusts
    file = unpack(content)
    if any(buffer.offset > 1 for buffer in file.buffers):
        return content
    file.description = None
    kept = [metadata for metadata in file.metadata or [] if metadata.name not in UNREAD]
    file.metadata = kept or None
    for graph in file.subgraphs:
        ends = {*_list_indices(graph.inputs), *_list_indices(graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            if index not in ends:
                tensor.name = None
            if _is_empty(tensor.quantization):
                tensor.quantization = None
    _share_buffers(file)
    return pack(file, _Builder(len(content)))


def _list_indices(vector: np.ndarray | None) -> list[int]:
    return [] if vector is None else list(vector)


def _is_empty(quantization: schema.QuantizationParametersT | None) -> bool:
    fields = ("min", "max", "scale", "zeroPoint", "details")
    return all(getattr(quantization, name, None) is None for name in fields)


def _share_buffers(file: schema.ModelT) -> None:
    """Keeps one buffer of each content; by the schema the first buffer is empty."""
    kept, places, found = [_Buffer()], {b"": 0}, []
    for buffer in file.buffers:
        content = b"" if buffer.data is None else np.asarray(buffer.data, np.uint8).tobytes()
        if content not in places:
            places[content] = len(kept)
            kept.append(_Buffer())
            kept[-1].data = np.frombuffer(content, np.uint8)
        found.append(places[content])
    for graph in file.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = found[tensor.buffer]
    for metadata in file.metadata or []:
        metadata.buffer = found[metadata.buffer]
    file.buffers = kept
    # An old list of the buffers of metadata, which nothing reads since metadata have names.
    file.metadataBuffer = None
