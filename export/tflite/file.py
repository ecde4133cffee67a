"""A parsed TFLite file: its operators, tensors and options, beside its bytes."""

import math
from dataclasses import dataclass, field

import numpy as np

__all__ = ["BINARY_CONVOLUTION", "ENGINE_PREFIX", "File", "Operator", "Tensor"]

BINARY_CONVOLUTION = "LceBconv2d"
# All operators of Larq Compute Engine begin with it.
ENGINE_PREFIX = "Lce"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file.

    Attributes:
        graph: number of the subgraph it belongs to, from 0.
        index: in the subgraph, from 0.
        name: as the converter wrote it, with the names of all that was fused into it.
        shape: with -1 where a size is open.
        dtype: as the format calls it, such as "FLOAT32"; bit-packed values are "INT32".
        buffer: number of the buffer that holds its values; tensors can share one.
        constant: the bytes of that buffer, uint8; None where the values are computed.
        quantized: whether it has a scale, so that its integers stand for real numbers.
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

    @property
    def positions(self) -> int:
        """Number of values on all axes but the last; an open size counts as 1."""
        return math.prod(max(length, 1) for length in self.shape[:-1])

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
        graph: number of the subgraph it belongs to, from 0.
        name: such as "CONV_2D"; a custom operator's own name, such as "LceBconv2d".
        inputs: tensors; None where an optional one is left out.
        outputs: tensors.
        options: those of the following that the operator has: `padding` ("SAME" or "VALID"),
            `strides` and `dilation` (height, width), `activation` ("RELU" and so on, "NONE" for
            none), `depth_multiplier`, `window` (height, width of a pooling); for a binary
            convolution `channels_in` and `pad_values` as well. Custom operators other than the
            engine's have none.
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
        content: its bytes.
        operators: in the order in which they run, subgraph after subgraph.
        inputs: of the first subgraph.
        outputs: of the first subgraph.
        input_names: of each input, its name in the file's signature, or the tensor's own where the
            file has no signature.
        output_names: likewise.
    """

    content: bytes = field(repr=False, compare=False)
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    @property
    def has_binary_operators(self) -> bool:
        """Whether it has operators of Larq Compute Engine's own, which TensorFlow Lite lacks."""
        return any(operator.name.startswith(ENGINE_PREFIX) for operator in self.operators)
