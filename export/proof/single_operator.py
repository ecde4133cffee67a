"""Builds TFLite files of one binary operator of any sizes, and computes its outputs in NumPy."""

from typing import NamedTuple

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.conversion.rewriting.padding import compute_same_padding

__all__ = [
    "Case",
    "Convolution",
    "Pool",
    "build_file",
    "compute_expected",
    "draw_numbers",
    "has_windows",
]

WORD = 32
CUSTOM = schema.BuiltinOperator.CUSTOM
PADDINGS = {"SAME": schema.Padding.SAME, "VALID": schema.Padding.VALID}
# By their numbers in the schema.
ACTIVATIONS = {
    "NONE": (0, (-np.inf, np.inf)),
    "RELU": (1, (0, np.inf)),
    "RELU6": (3, (0, 6)),
}

Pair = tuple[int, int]


class Convolution(NamedTuple):
    """A binary convolution.

    Attributes:
        size: of its input, height and width.
        kernel, strides, dilation: height and width.
        padding: "SAME" or "VALID".
        pad_values: 0 or 1.
        channels: of its input.
        filters: channels of its output.
        groups: of both.
        batch: images at a time.
        bits: whether it writes bits instead of real numbers.
        activation: "NONE", "RELU" or "RELU6".
    """

    size: Pair
    kernel: Pair
    strides: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: str = "SAME"
    pad_values: int = 0
    channels: int = 32
    filters: int = 8
    groups: int = 1
    batch: int = 1
    bits: bool = False
    activation: str = "NONE"


class Pool(NamedTuple):
    """A maximum of bits; the attributes are those of a convolution."""

    size: Pair
    kernel: Pair
    strides: Pair = (1, 1)
    padding: str = "SAME"
    channels: int = 32
    batch: int = 1
    dilation: Pair = (1, 1)

    @property
    def filters(self) -> int:
        """Channels of its output."""
        return self.channels


Case = Convolution | Pool


def _count_windows(case: Case) -> Pair:
    """How many windows there are, in height and width."""
    sizes = zip(case.size, case.kernel, case.strides, case.dilation, strict=True)
    if case.padding == "SAME":
        return tuple(-(-size // stride) for size, _, stride, _ in sizes)
    return tuple(
        (size - (kernel - 1) * dilation - 1) // stride + 1
        for size, kernel, stride, dilation in sizes
    )


def has_windows(case: Case) -> bool:
    """Whether there is a window at all."""
    return min(_count_windows(case)) > 0


def draw_numbers(case: Case, seed: int = 0) -> dict[str, np.ndarray]:
    """Draws an input and constants for a case.

    Returns:
        `images` (batch, height, width, channels) float32; for a convolution also `kernel` (filters,
        height, width, channels of a group) of -1 and 1, `scale` and `bias` (filters,) float32 and
        `threshold` (filters,) int32, the number of different bits above which -1 comes out.
    """
    rng = np.random.default_rng(seed)
    numbers = {"images": rng.normal(size=(case.batch, *case.size, case.channels))}
    if isinstance(case, Convolution):
        shape = (case.filters, *case.kernel, case.channels // case.groups)
        half = int(np.prod(shape[1:])) // 2
        numbers |= {
            "kernel": rng.choice([-1.0, 1.0], shape),
            "scale": rng.uniform(0.5, 1.5, case.filters) * rng.choice([-1, 1], case.filters),
            "bias": rng.normal(size=case.filters),
        }
        spread = max(half // 8, 1)
        threshold = rng.integers(half - spread, half + spread, case.filters).astype(np.int32)
        numbers = {name: value.astype(np.float32) for name, value in numbers.items()}
        return {**numbers, "threshold": threshold}
    return {name: value.astype(np.float32) for name, value in numbers.items()}


def compute_expected(case: Case, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Computes what the operator must give: (batch, height, width, filters), float64."""
    signs = np.where(numbers["images"] >= 0, 1.0, -1.0)
    pads = [
        compute_same_padding(size, (kernel - 1) * dilation + 1, stride)
        for size, kernel, stride, dilation in zip(
            case.size, case.kernel, case.strides, case.dilation, strict=True
        )
    ]
    if case.padding == "VALID":
        pads = [(0, 0), (0, 0)]
    value = case.pad_values if isinstance(case, Convolution) else -1.0
    signs = np.pad(signs, [(0, 0), *pads, (0, 0)], constant_values=value)
    height, width = _count_windows(case)

    def view_place(row: int, column: int) -> np.ndarray:
        """What one place of the kernel meets, in all windows."""
        starts = (row * case.dilation[0], column * case.dilation[1])
        rows, columns = (
            slice(start, start + (count - 1) * stride + 1, stride)
            for start, count, stride in zip(starts, (height, width), case.strides, strict=True)
        )
        return signs[:, rows, columns]

    places = list(np.ndindex(*case.kernel))
    if isinstance(case, Pool):
        return np.max([view_place(*place) for place in places], axis=0)
    sums = np.zeros((case.batch, height, width, case.filters))
    channels, filters = case.channels // case.groups, case.filters // case.groups
    for group in range(case.groups):
        of_group = slice(group * filters, (group + 1) * filters)
        for place in places:
            met = view_place(*place)[..., group * channels : (group + 1) * channels]
            sums[..., of_group] += met @ numbers["kernel"][of_group, place[0], place[1]].T
    if case.bits:
        different = (len(places) * channels - sums) / 2
        return np.where(different > numbers["threshold"], -1.0, 1.0)
    return numbers["scale"] * np.clip(sums, *ACTIVATIONS[case.activation][1]) + numbers["bias"]


def _count_words(channels: int) -> int:
    return -(-channels // WORD)


def _pack(signs: np.ndarray) -> np.ndarray:
    """Signs as the engine keeps them: a bit for each, set for -1, in words of 32."""
    bits = np.zeros((*signs.shape[:-1], _count_words(signs.shape[-1]) * WORD), np.uint8)
    bits[..., : signs.shape[-1]] = signs < 0
    return np.packbits(bits, axis=-1, bitorder="little").view(np.int32)


class _Graph:
    """A file that is being built."""

    def __init__(self):
        self.file = schema.ModelT()
        self.file.version = 3
        self.file.buffers = [schema.BufferT()]
        self.file.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.file.subgraphs = [self.graph]

    def add_tensor(
        self, shape: tuple[int, ...], dtype: int, constant: np.ndarray | None = None
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), dtype, 0
        if constant is not None:
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(constant).view(np.uint8).reshape(-1)
            tensor.buffer = len(self.file.buffers)
            self.file.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add_operator(self, name: str, inputs: list[int], output: int, options: dict | None = None):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = CUSTOM
        code.customCode, code.version = name, 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.file.operatorCodes)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        if options:
            operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)
        self.file.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def finish(self, start: int, end: int) -> bytes:
        self.graph.inputs, self.graph.outputs = np.array([[start], [end]], np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.file.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def build_file(case: Case, numbers: dict[str, np.ndarray]) -> bytes:
    """Builds a file that turns real numbers into bits, runs the operator and gives real numbers."""
    real, integers = schema.TensorType.FLOAT32, schema.TensorType.INT32
    graph = _Graph()
    images = graph.add_tensor((case.batch, *case.size, case.channels), real)
    signs = graph.add_tensor((case.batch, *case.size, _count_words(case.channels)), integers)
    graph.add_operator("LceQuantize", [images], signs)
    shape = (case.batch, *_count_windows(case), case.filters)
    packed_shape = (*shape[:-1], _count_words(case.filters))
    options = {
        "padding": PADDINGS[case.padding],
        "stride_height": case.strides[0],
        "stride_width": case.strides[1],
    }
    if isinstance(case, Pool):
        options |= {"filter_height": case.kernel[0], "filter_width": case.kernel[1]}
        packed = graph.add_tensor(packed_shape, integers)
        graph.add_operator("LceBMaxPool2d", [signs], packed, options)
    else:
        kernel = _pack(numbers["kernel"])
        inputs = [signs, graph.add_tensor(kernel.shape, integers, kernel)]
        options |= {
            "channels_in": case.channels,
            "dilation_height_factor": case.dilation[0],
            "dilation_width_factor": case.dilation[1],
            "fused_activation_function": ACTIVATIONS[case.activation][0],
            "pad_values": case.pad_values,
        }
        per_filter = (case.filters,)
        if case.bits:
            threshold = graph.add_tensor(per_filter, integers, numbers["threshold"])
            packed = graph.add_tensor(packed_shape, integers)
            graph.add_operator("LceBconv2d", [*inputs, -1, -1, threshold], packed, options)
        else:
            inputs += [
                graph.add_tensor(per_filter, real, numbers[name]) for name in ("scale", "bias")
            ]
            output = graph.add_tensor(shape, real)
            graph.add_operator("LceBconv2d", [*inputs, -1], output, options)
            return graph.finish(images, output)
    output = graph.add_tensor(shape, real)
    graph.add_operator("LceDequantize", [packed], output)
    return graph.finish(images, output)
