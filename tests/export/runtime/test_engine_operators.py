"""The operators of Larq Compute Engine, bit for bit: the delegate, NumPy and the engine."""

import itertools

import numpy as np
import pytest
from delegates import BACKENDS, need_delegate, run_delegate, run_engine
from flatbuffers import flexbuffers
from operator_cases import SIGNS, ZERO_PADDED, sample

from export.proof import sweep
from export.proof.operator_oracle import compute_rounded
from export.proof.single_operator import Convolution, Signs, build_file, draw_numbers

need_delegate()


def assert_same_bits(got, wanted, case):
    """Fails unless both have the same type, shape and bits, signs of zeros included."""
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), case
    assert got.tobytes() == wanted.tobytes(), case


def check(case, backends=BACKENDS, num_threads=1, numbers=None):
    """Compares one operator with NumPy, and with the engine where that runs it."""
    drawn = numbers or draw_numbers(case)
    check_in_one_file([(case, drawn)], backends, num_threads, with_engine=runs_in_engine(case))


def check_in_one_file(cases, backends, num_threads, *, with_engine):
    """Compares operators with NumPy and with the engine; `cases` are pairs of case and numbers."""
    flatbuffer = build_file(*cases)
    images = [numbers["images"] for _, numbers in cases]
    wanted = [compute_rounded(*case) for case in cases]
    found = {
        backend: run_delegate(flatbuffer, *images, backend=backend, num_threads=num_threads)
        for backend in backends
    }
    if with_engine:
        found["the engine"] = run_engine(flatbuffer, *images)
    for name, outputs in found.items():
        for (case, _), got, expected in zip(cases, outputs, wanted, strict=True):
            assert_same_bits(got, expected, (name, case))


def runs_in_engine(case):
    """Whether its reference backend runs a case: with zeros it pads no odd numbers of channels, and
    where it has to write bits it crashes.
    """
    if not isinstance(case, Convolution) or case.padding == "VALID" or case.pad_values:
        return True
    return case.output != "BITS" and case.channels % 2 == 0


@pytest.mark.parametrize("name", sweep.SWEEPS)
def test_operators_have_the_bits_of_numpy_and_of_the_engine(name):
    every = 4 if name == "activations" else 300
    for number, case in enumerate(sample(name, every)):
        check(case, num_threads=1 + number % 2)


# In a file, which takes less time than as many files of one operator.
CASES_IN_A_FILE = 40


def split_into_files(cases):
    """Files of cases that the engine runs and of such that it does not, and which of the two."""
    cases = sorted(cases, key=runs_in_engine)
    for with_engine, group in itertools.groupby(cases, runs_in_engine):
        while part := list(itertools.islice(group, CASES_IN_A_FILE)):
            yield with_engine, part


@pytest.mark.slow
@pytest.mark.parametrize("name", sweep.SWEEPS)
def test_operators_have_the_bits_of_numpy_and_of_the_engine_in_all_sizes(name):
    # Every combination of a backend and a number of threads, of neighbouring cases different ones.
    ways = list(itertools.product(BACKENDS, (1, 2, 3)))
    for number, (backend, num_threads) in enumerate(ways):
        cases = itertools.islice(sample(name, 1), number, None, len(ways))
        for with_engine, part in split_into_files(cases):
            drawn = [(case, draw_numbers(case)) for case in part]
            check_in_one_file(drawn, [backend], num_threads, with_engine=with_engine)


def test_signs_of_all_types_have_the_bits_of_the_engine():
    for case in SIGNS:
        check(case)


@pytest.mark.parametrize("size", [(), (3,), (2, 3, 2)])
def test_signs_may_have_any_number_of_axes(size):
    for channels in (1, 40):
        check(Signs(size, channels, 2))
        check(Signs(size, channels, 2, "INT8", "INT8", zero_point=3))


@pytest.mark.parametrize("output", ["FLOAT", "BITS"])
@pytest.mark.parametrize(
    ("kernel", "channels", "filters"),
    [((5, 5), 2621, 3), ((1, 1), 65535, 2), ((16, 16), 255, 33), ((20, 20), 163, 40)],
)
def test_windows_of_the_most_bits_are_counted(output, kernel, channels, filters):
    size = (kernel[0] + 1, kernel[1])
    for padding in ("VALID", "SAME"):
        case = Convolution(
            *(size, kernel, (1, size[1]), (1, 1), padding, 1, channels, filters), output=output
        )
        numbers = draw_numbers(case)
        check(case, numbers=numbers)
        # All bits differ, and none.
        numbers["images"] = np.ones_like(numbers["images"])
        numbers["kernel"][:] = np.resize([-1, 1], filters).reshape(-1, 1, 1, 1)
        check(case, numbers=numbers)


def test_options_may_be_unsigned_and_stored_apart_from_their_map(monkeypatch):
    def dump(options):
        builder = flexbuffers.Builder()
        with builder.Map():
            for key, value in options.items():
                builder.Key(key)
                builder.IndirectUInt(value)
        return builder.Finish()

    monkeypatch.setattr(flexbuffers, "Dumps", dump)
    check(Convolution((4, 4), (3, 3), channels=200))  # in a byte, and as a signed one -56


def test_windows_of_more_bits_are_refused():
    case = Convolution((1, 1), (1, 1), channels=65536)
    flatbuffer = build_file((case, draw_numbers(case)))
    with pytest.raises(RuntimeError, match=r"LceBconv2d, cannot be run: .* more than 65535 bits"):
        run_delegate(flatbuffer, np.ones((1, 1, 1, 65536), np.float32))


def test_zero_padding_has_every_output_and_activation():
    for case in ZERO_PADDED:
        check(case)


# Not those below 1.2e-38, which the engine's interpreter takes for 0, unlike TensorFlow Lite's.
SPECIAL = np.array([-np.inf, -1, -0.0, 0.0, 1, np.inf, np.nan, -np.nan], np.float32)


@pytest.mark.parametrize("channels", [1, 7, 32, 40, 96])
def test_signs_of_special_numbers_are_those_of_the_engine(channels):
    case = Signs((10, 10), channels)
    images = np.resize(SPECIAL, (1, 10, 10, channels))
    images = np.random.default_rng(0).permutation(images.reshape(-1)).reshape(images.shape)
    check(case, numbers={"images": images})


@pytest.mark.parametrize("multiplier", [1, -1, 0.5, -3])
@pytest.mark.parametrize(("output_scale", "zero_point"), [(4, 0), (4, -1), (2, 100), (0.25, -128)])
def test_halves_round_away_from_zero_and_saturate(multiplier, output_scale, zero_point):
    case = Convolution(
        *((6, 6), (3, 3), (1, 1), (1, 1), "SAME", 1, 32, 40),
        output="INT8",
        output_scale=output_scale,
        zero_point=zero_point,
    )
    numbers = draw_numbers(case)
    numbers["scale"][:] = multiplier
    numbers["bias"][:] = np.resize([0, 1, -1, 2, 1000, -1000], 40)
    levels = compute_rounded(case, numbers)
    assert {-128, 127} <= set(levels.flat)
    check(case, numbers=numbers)


def test_what_is_not_a_number_stays_that_and_becomes_0_in_int8():
    """Infinite sums saturate, whereas the engine's rounding is undefined above 2^31 levels."""
    saturated = {np.inf: 127, -np.inf: -128}
    for output, special in itertools.product(("FLOAT", "INT8"), (np.nan, -np.inf, np.inf)):
        case = Convolution((4, 4), (3, 3), pad_values=1, filters=9, output=output)
        numbers = draw_numbers(case)
        numbers["bias"][::2] = special
        flatbuffer = build_file((case, numbers))
        (of_engine,) = run_engine(flatbuffer, numbers["images"])
        if output == "INT8" and special in saturated:
            of_engine[..., ::2] = saturated[special]
        for backend in BACKENDS:
            (got,) = run_delegate(flatbuffer, numbers["images"], backend=backend)
            np.testing.assert_array_equal(got, of_engine)


def test_fast_kernels_of_the_engine_round_once_more_where_they_pad_with_zeros():
    """They add a correction in float32; the delegate adds it to the counts, as the reference."""
    case = Convolution((12, 12), (3, 3), channels=64, filters=64)
    numbers = draw_numbers(case)
    flatbuffer = build_file((case, numbers))
    (got,) = run_delegate(flatbuffer, numbers["images"])
    (fast,) = run_engine(flatbuffer, numbers["images"], backend="indirect bgemm")
    assert_same_bits(got[:, 1:-1, 1:-1], fast[:, 1:-1, 1:-1], case)
    # Three roundings of numbers up to the sum of all weights, 1.5 for each.
    np.testing.assert_allclose(got, fast, rtol=0, atol=1.5 * 9 * 64 * 2**-23)
