"""Files of one binary operator of any sizes; `operator_oracle` says what they compute."""

from typing import NamedTuple

import numpy as np
from larq_compute_engine.mlir.python import tflite_schema as schema

from export.proof.file_builder import FileBuilder

__all__ = [
    "ACTIVATIONS",
    "INT8",
    "Case",
    "Convolution",
    "Pool",
    "Signs",
    "build_file",
    "count_bits",
    "count_windows",
    "draw_numbers",
    "has_windows",
]

WORD = 32
PADDINGS = {"SAME": schema.Padding.SAME, "VALID": schema.Padding.VALID}
# By their numbers in the schema.
ACTIVATIONS = {
    "NONE": (0, (-np.inf, np.inf)),
    "RELU": (1, (0, np.inf)),
    "RELU_N1_TO_1": (2, (-1, 1)),
    "RELU6": (3, (0, 6)),
}
INT8 = np.iinfo(np.int8)

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
        output: what it writes: "FLOAT", "INT8" or "BITS".
        activation: "NONE", "RELU", "RELU_N1_TO_1" or "RELU6".
        output_scale, zero_point: of an output in int8.
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
    output: str = "FLOAT"
    activation: str = "NONE"
    output_scale: float = 0.5
    zero_point: int = 0


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


class Signs(NamedTuple):
    """Numbers that become bits, which become numbers.

    Attributes:
        size: height and width, or any other axes between the images and the channels.
        channels: of both.
        batch: images at a time.
        source, target: types of the numbers, "FLOAT" or "INT8".
        scale: of what is in int8.
        zero_point: the integer that stands for 0.
    """

    size: tuple[int, ...]
    channels: int = 32
    batch: int = 1
    source: str = "FLOAT"
    target: str = "FLOAT"
    scale: float = 0.25
    zero_point: int = 0


Case = Convolution | Pool | Signs


def count_windows(case: Convolution | Pool) -> Pair:
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
    return isinstance(case, Signs) or min(count_windows(case)) > 0


def count_bits(case: Convolution) -> int:
    """How many bits a filter has, and the largest sum that it gives."""
    return case.kernel[0] * case.kernel[1] * (case.channels // case.groups)


def draw_numbers(case: Case) -> dict[str, np.ndarray]:
    """Draws an input and constants for a case.

    Returns:
        `images` (batch, height, width, channels), float32 or int8; for a convolution also `kernel`
        (filters, height, width, channels of a group) of -1 and 1, `scale` and `bias` (filters,)
        float32 and `threshold` (filters,) int32, the number of different bits above which -1 comes
        out.
    """
    rng = np.random.default_rng(0)
    shape = (case.batch, *case.size, case.channels)
    if isinstance(case, Signs) and case.source == "INT8":
        return {"images": rng.integers(INT8.min, INT8.max, shape, np.int8, endpoint=True)}
    numbers = {"images": rng.normal(size=shape)}
    if isinstance(case, Convolution):
        half = count_bits(case) // 2
        numbers |= {
            "kernel": rng.choice(
                [-1.0, 1.0], (case.filters, *case.kernel, case.channels // case.groups)
            ),
            "scale": rng.uniform(0.5, 1.5, case.filters) * rng.choice([-1, 1], case.filters),
            "bias": rng.normal(size=case.filters),
        }
        spread = max(half // 8, 1)
        threshold = rng.integers(half - spread, half + spread, case.filters).astype(np.int32)
        numbers = {name: value.astype(np.float32) for name, value in numbers.items()}
        return {**numbers, "threshold": threshold}
    return {name: value.astype(np.float32) for name, value in numbers.items()}


def _count_words(channels: int) -> int:
    return -(-channels // WORD)


def _pack(signs: np.ndarray) -> np.ndarray:
    """Signs as the engine keeps them: a bit for each, set for -1, in words of 32."""
    bits = np.zeros((*signs.shape[:-1], _count_words(signs.shape[-1]) * WORD), np.uint8)
    bits[..., : signs.shape[-1]] = signs < 0
    return np.packbits(bits, axis=-1, bitorder="little").view(np.int32)


def build_file(*cases: tuple[Case, dict[str, np.ndarray]]) -> bytes:
    """Builds a file that turns numbers into bits, runs an operator and gives numbers.

    Args:
        cases: a case and its numbers; of several, each has an input and an output of its own.
    """
    builder = FileBuilder()
    inputs, outputs = zip(*(_add_case(builder, *case) for case in cases), strict=True)
    return builder.finish(list(inputs), list(outputs))


def _add_case(builder: FileBuilder, case: Case, numbers: dict[str, np.ndarray]) -> Pair:
    """Adds a case to a file; the tensors of its input and its output."""
    scaled = {}
    if isinstance(case, Signs):
        scaled = {"scale": case.scale, "zero_point": case.zero_point}
    shape = (case.batch, *case.size, case.channels)
    dtype = numbers["images"].dtype.name
    images = builder.add_tensor(shape, dtype, **(scaled if dtype == "int8" else {}))
    packed = builder.add_tensor((*shape[:-1], _count_words(case.channels)), "int32")
    builder.add_custom("LceQuantize", [images], packed)
    if isinstance(case, Convolution):
        output = _add_convolution(builder, case, numbers, packed)
        if case.output != "BITS":
            return images, output
        packed = output
    elif isinstance(case, Pool):
        packed = _add_pool(builder, case, packed)
    if not isinstance(case, Signs):
        shape = (case.batch, *count_windows(case), case.filters)
    if isinstance(case, Signs) and case.target == "INT8":
        output = builder.add_tensor(shape, "int8", **scaled)
    else:
        output = builder.add_tensor(shape)
    builder.add_custom("LceDequantize", [packed], output)
    return images, output


def _give_window_options(case: Convolution | Pool) -> dict[str, int]:
    return {
        "padding": PADDINGS[case.padding],
        "stride_height": case.strides[0],
        "stride_width": case.strides[1],
    }


def _add_packed(builder: FileBuilder, case: Convolution | Pool) -> int:
    shape = (case.batch, *count_windows(case), _count_words(case.filters))
    return builder.add_tensor(shape, "int32")


def _add_pool(builder: FileBuilder, case: Pool, packed: int) -> int:
    options = {"filter_height": case.kernel[0], "filter_width": case.kernel[1]}
    output = _add_packed(builder, case)
    builder.add_custom("LceBMaxPool2d", [packed], output, _give_window_options(case) | options)
    return output


def _add_convolution(
    builder: FileBuilder, case: Convolution, numbers: dict[str, np.ndarray], packed: int
) -> int:
    options = {
        **_give_window_options(case),
        "channels_in": case.channels,
        "dilation_height_factor": case.dilation[0],
        "dilation_width_factor": case.dilation[1],
        "fused_activation_function": ACTIVATIONS[case.activation][0],
        "pad_values": case.pad_values,
    }
    inputs = [packed, builder.add_constant(_pack(numbers["kernel"]))]
    if case.output == "BITS":
        inputs += [-1, -1, builder.add_constant(numbers["threshold"])]
        output = _add_packed(builder, case)
    else:
        inputs += [*(builder.add_constant(numbers[name]) for name in ("scale", "bias")), -1]
        shape = (case.batch, *count_windows(case), case.filters)
        if case.output == "INT8":
            scaled = {"scale": case.output_scale, "zero_point": case.zero_point}
            output = builder.add_tensor(shape, "int8", **scaled)
        else:
            output = builder.add_tensor(shape)
    builder.add_custom("LceBconv2d", inputs, output, options)
    return output
