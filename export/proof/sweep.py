"""Runs the engine's binary operators over many sizes, with each backend, against NumPy.

`python -m export.proof.sweep` prints the table of MISCOMPILATION.md.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from export.conversion.rewriting.wide_kernels import is_wide
from export.proof.operator_oracle import compute_expected
from export.proof.single_operator import (
    Case,
    Convolution,
    Pool,
    build_file,
    count_bits,
    draw_numbers,
    has_windows,
)
from export.tflite.backends import BACKENDS, open_in_engine

__all__ = ["SWEEPS", "Outcome", "sweep"]

# Of the sum of all weights: the engine adds and takes away as much to get from bits to numbers.
ROUNDING = 1e-6
PADDINGS = (("SAME", 0), ("SAME", 1), ("VALID", 0))


class Outcome(NamedTuple):
    """How many cases of a sweep a backend computes rightly, wrongly, or not at all.

    Attributes:
        right: as NumPy does.
        known: wrongly, as their sizes predict, see `export.proof.engine_faults`.
        unknown: wrongly, although their sizes do not predict it.
        harmless: rightly, although their sizes predict that they are wrong.
        refused: the backend cannot prepare them.
    """

    right: int = 0
    known: int = 0
    unknown: int = 0
    harmless: int = 0
    refused: int = 0


def is_known(case: Case) -> bool:
    """Whether the sizes of a case predict that the engine's fast backends compute it wrongly."""
    if isinstance(case, Pool) or case.padding == "VALID" or case.pad_values:
        return False
    axes = zip(case.size, case.kernel, case.strides, case.dilation, strict=True)
    return any(is_wide(*axis) for axis in axes)


def _tolerance(case: Case) -> float:
    if not isinstance(case, Convolution):
        return ROUNDING
    largest = 1.5 * count_bits(case) + 5
    if case.output == "INT8":
        return 0.5 + ROUNDING * (largest / case.output_scale + abs(case.zero_point))
    return ROUNDING * largest


def run_case(case: Case, backend: str) -> str:
    """Runs a case with a backend of `export.BACKENDS` and returns the attribute of `Outcome`."""
    numbers = draw_numbers(case)
    try:
        engine = open_in_engine(build_file((case, numbers)), backend)
    except RuntimeError:
        return "refused"
    (got,) = engine.predict([numbers["images"]])
    wanted = compute_expected(case, numbers)
    right = got.shape == wanted.shape and np.abs(got - wanted).max() <= _tolerance(case)
    # The reference backend is right where the others are known to be wrong.
    known = is_known(case) and backend != "reference"
    return ("harmless" if known else "right") if right else ("known" if known else "unknown")


def sweep(cases: Iterable[Case]) -> dict[str, Outcome]:
    """Runs cases with each backend.

    Returns:
        For each backend how many cases came out how. Cases without a window are left out.
    """
    outcomes = {backend: Outcome() for backend in BACKENDS}
    for case in filter(has_windows, cases):
        for backend, before in outcomes.items():
            name = run_case(case, backend)
            outcomes[backend] = before._replace(**{name: getattr(before, name) + 1})
    return outcomes


def _list_square() -> Iterator[Convolution]:
    ranges = (range(1, 9), range(1, 9), range(1, 8), (1, 2, 3), (1, 2, 3), PADDINGS)
    for height, width, kernel, stride, dilation, padding in itertools.product(*ranges):
        pairs = ((size, size) for size in (kernel, stride, dilation))
        yield Convolution((height, width), *pairs, *padding)


def _list_oblong() -> Iterator[Convolution]:
    pairs = [*itertools.product((1, 2, 3), repeat=2)]
    kernels = [*itertools.product((1, 2, 3, 5), repeat=2)]
    sizes = ((1, 6), (2, 5), (3, 3), (4, 7), (6, 2))
    for size, *rest, padding in itertools.product(sizes, kernels, pairs, pairs, PADDINGS):
        yield Convolution(size, *rest, *padding)


def _list_channels() -> Iterator[Convolution]:
    channels = (1, 2, 3, 16, 31, 32, 33, 40, 63, 64, 65, 96, 128, 129, 256, 257)
    filters = (1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33, 40, 64, 65)
    rest = itertools.product(channels, filters, (1, 2), (1, 2), PADDINGS)
    for into, out, stride, batch, padding in rest:
        yield Convolution(
            (5, 4), (3, 3), (stride, stride), (1, 1), *padding, into, out, batch=batch
        )


def _list_bits() -> Iterator[Convolution]:
    # The engine writes no bits where it pads with zeros, and the converter asks for none.
    for case in itertools.chain(_list_channels(), _list_square()):
        if case.padding == "VALID" or case.pad_values:
            yield case._replace(output="BITS")


def _list_int8() -> Iterator[Convolution]:
    # Scales from one that saturates to one that leaves few levels; every pair of both occurs.
    scales, zero_points = itertools.cycle((0.5, 0.03, 2.0, 300.0)), itertools.cycle((0, -128, 127))
    for case in itertools.chain(_list_channels(), _list_activations()):
        if case.padding == "VALID" or case.pad_values:
            scaled = {"output_scale": next(scales), "zero_point": next(zero_points)}
            yield case._replace(output="INT8", **scaled)


def _list_groups() -> Iterator[Convolution]:
    kernels, pairs = ((1, 1), (3, 3)), ((1, 1), (2, 2))
    channels, filters = (32, 64, 96), (1, 4, 8, 16, 32, 33)
    rest = itertools.product(kernels, pairs, pairs, PADDINGS, (2, 3, 4), channels, filters, (1, 2))
    for kernel, strides, dilation, padding, groups, into, out, batch in rest:
        yield Convolution(
            *((5, 4), kernel, strides, dilation, *padding),
            *(groups * into, groups * out, groups, batch),
        )


def _list_activations() -> Iterator[Convolution]:
    activations = ("RELU", "RELU_N1_TO_1", "RELU6")
    rest = itertools.product(activations, (32, 40, 64), (5, 8, 32), PADDINGS[1:])
    for activation, channels, filters, padding in rest:
        yield Convolution(
            *((5, 4), (3, 3), (1, 1), (1, 1), *padding, channels, filters), activation=activation
        )


def _list_large() -> Iterator[Convolution]:
    kernels, pairs = (1, 3, 5, 7), ((1, 1), (2, 2))
    sizes = ((33, 17), (16, 16), (4, 4))
    rest = itertools.product(sizes, kernels, pairs, pairs, PADDINGS, (32, 160, 1024), (8, 36))
    for size, kernel, strides, dilation, padding, channels, filters in rest:
        yield Convolution(size, (kernel, kernel), strides, dilation, *padding, channels, filters)


def _list_pools() -> Iterator[Pool]:
    ranges = (range(1, 7), range(1, 7), (1, 2, 3, 5), (1, 2, 3), (1, 2, 3), ("SAME", "VALID"))
    for height, width, kernel, tall, wide, padding in itertools.product(*ranges):
        yield Pool((height, width), (kernel, kernel + tall - 1), (tall, wide), padding)
    for channels, batch, padding in itertools.product((1, 31, 33, 64, 100), (1, 2), PADDINGS[1:]):
        yield Pool((5, 4), (2, 2), (2, 2), padding[0], channels, batch)


SWEEPS = {
    "square kernels, maps 1x1 to 8x8": _list_square,
    "oblong kernels, strides, dilations": _list_oblong,
    "channels, filters, batch": _list_channels,
    "output of bits": _list_bits,
    "output of int8": _list_int8,
    "groups": _list_groups,
    "activations": _list_activations,
    "large maps, many channels": _list_large,
    "max-pools of bits": _list_pools,
}


def _main() -> None:
    print(f"| sweep | backend | {' | '.join(Outcome._fields)} |")
    print("| --- " * (2 + len(Outcome._fields)) + "|")
    for name, cases in SWEEPS.items():
        for backend, found in sweep(cases()).items():
            print(f"| {name} | {backend} | {' | '.join(map(str, found))} |", flush=True)


if __name__ == "__main__":
    _main()
