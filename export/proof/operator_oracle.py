"""What a binary operator computes, in NumPy: in float64, and rounded as the engine rounds."""

import numpy as np

from export.keras_graph.windows import compute_extent, compute_same_padding
from export.proof.single_operator import (
    ACTIVATIONS,
    INT8,
    Case,
    Convolution,
    Pool,
    Signs,
    count_bits,
    count_windows,
)

__all__ = ["compute_expected", "compute_rounded"]


def _view_places(case: Convolution | Pool, numbers: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What each place of the kernel meets, in all windows: -1, 1, and 0 where it pads with that."""
    signs = np.where(numbers["images"] >= 0, 1.0, -1.0)
    pads = [
        compute_same_padding(size, compute_extent(kernel, dilation), stride)
        for size, kernel, stride, dilation in zip(
            case.size, case.kernel, case.strides, case.dilation, strict=True
        )
    ]
    if case.padding == "VALID":
        pads = [(0, 0), (0, 0)]
    value = case.pad_values if isinstance(case, Convolution) else -1.0
    signs = np.pad(signs, [(0, 0), *pads, (0, 0)], constant_values=value)
    views = []
    for place in np.ndindex(*case.kernel):
        rows, columns = (
            slice(at * dilation, at * dilation + (count - 1) * stride + 1, stride)
            for at, dilation, count, stride in zip(
                place, case.dilation, count_windows(case), case.strides, strict=True
            )
        )
        views.append(signs[:, rows, columns])
    return views


def _sum_windows(case: Convolution, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Sums of products (batch, height, width, filters), float64, which holds them exactly."""
    views = _view_places(case, numbers)
    sums = np.zeros((*views[0].shape[:3], case.filters))
    channels, filters = case.channels // case.groups, case.filters // case.groups
    for group in range(case.groups):
        of_group = slice(group * filters, (group + 1) * filters)
        kernel = numbers["kernel"][of_group].reshape(filters, -1, channels)
        for place, view in enumerate(views):
            met = view[..., group * channels : (group + 1) * channels]
            sums[..., of_group] += met @ kernel[:, place].T
    return sums


def _compare(case: Convolution, numbers: dict[str, np.ndarray], sums: np.ndarray) -> np.ndarray:
    different = (count_bits(case) - sums) / 2
    return np.where(different > numbers["threshold"], -1.0, 1.0)


def _give_signs(case: Signs, numbers: dict[str, np.ndarray]) -> np.ndarray:
    zero = case.zero_point if case.source == "INT8" else 0
    negative = numbers["images"].astype(np.float64) < zero  # not what is no number
    if case.target == "FLOAT":
        return np.where(negative, -1.0, 1.0)
    step = int(np.floor(np.float64(np.float32(1) / np.float32(case.scale)) + 0.5))
    levels = case.zero_point + np.where(negative, -step, step)
    return np.clip(levels, INT8.min, INT8.max)


def compute_expected(case: Case, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Computes what the operator must give, in float64.

    Returns:
        (batch, height, width, filters); what is to be rounded to int8 is not.
    """
    if isinstance(case, Signs):
        return _give_signs(case, numbers)
    if isinstance(case, Pool):
        return np.max(_view_places(case, numbers), axis=0)
    sums = _sum_windows(case, numbers)
    if case.output == "BITS":
        return _compare(case, numbers, sums)
    clamped = np.clip(sums, *ACTIVATIONS[case.activation][1])
    values = numbers["scale"].astype(np.float64) * clamped + numbers["bias"]
    if case.output == "FLOAT":
        return values
    levels = values / np.float64(np.float32(case.output_scale)) + case.zero_point
    return np.clip(levels, INT8.min, INT8.max)


def compute_rounded(case: Case, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """Computes what the engine's reference backend gives, with its roundings, to the last bit.

    It counts the bits that differ, and folds scale and bias of the output into the multiplier and
    the bias, in float64; then it rounds to float32 after each operation.

    Returns:
        (batch, height, width, filters), float32 or int8.
    """
    if not isinstance(case, Convolution) or case.output == "BITS":
        dtype = np.int8 if isinstance(case, Signs) and case.target == "INT8" else np.float32
        return compute_expected(case, numbers).astype(dtype)
    bits = count_bits(case)
    lowest, highest = ACTIVATIONS[case.activation][1]
    twice = bits - _sum_windows(case, numbers)
    twice = np.clip(twice, bits - min(highest, bits), bits - max(lowest, -bits))
    factor, offset = (numbers[name].astype(np.float64) for name in ("scale", "bias"))
    unit, zero = 1.0, 0.0
    if case.output == "INT8":
        unit, zero = np.float64(np.float32(case.output_scale)), case.zero_point
    multiplier = (-factor / unit).astype(np.float32)
    bias = ((offset + bits * factor) / unit + zero).astype(np.float32)
    values = twice.astype(np.float32) * multiplier + bias
    if case.output == "FLOAT":
        return values
    whole = np.trunc(values)
    away = np.abs(values - whole) >= 0.5
    rounded = np.where(away, whole + np.sign(values), whole)
    return np.clip(rounded, INT8.min, INT8.max).astype(np.int8)
