import pytest
from tiny_files import binary_file, float_file

from export.measurement.latency import Latency, benchmark, find_fastest, take_turns
from export.tflite.backends import find_backends


def test_every_backend_and_number_of_threads_is_measured():
    files = {"binary": binary_file(), "float32": float_file()}
    measured = benchmark(files, threads=(1, 2), repeats=3)
    assert [(found.name, found.backend, found.threads) for found in measured.latencies] == [
        (name, backend, threads)
        for name, flatbuffer in files.items()
        for backend in find_backends(flatbuffer)
        for threads in (1, 2)
    ]
    assert measured.failures == []
    assert all(0 < found.min_ms <= found.median_ms <= found.p95_ms for found in measured.latencies)


def test_backends_that_cannot_run_a_file_are_listed():
    grouped = binary_file(64, groups=2)
    measured = benchmark({"grouped": grouped}, threads=(1, 2), repeats=1)
    unable = ["optimized", "optimized with XNNPACK"]
    assert [failure.backend for failure in measured.failures] == unable
    assert {found.backend for found in measured.latencies} == set(find_backends(grouped)) - set(
        unable
    )
    assert "grouped cannot be run with optimized: " in str(measured.failures[0])


def test_file_that_no_backend_can_run_is_refused():
    with pytest.raises(ValueError, match=r"grouped cannot be run by any backend: ERROR at .*All"):
        benchmark({"grouped": binary_file(64, groups=2)}, backends={"grouped": ["optimized"]})


def test_damaged_file_is_refused_by_name():
    with pytest.raises(ValueError, match="mine cannot be measured: `flatbuffer` must be a TFLite"):
        benchmark({"mine": b"0000ABCD" * 9})


def test_functions_take_turns_in_an_order_that_changes_and_repeats():
    def calls(seed):
        called = []
        runs = {name: lambda name=name: called.append(name) for name in "abc"}
        milliseconds = take_turns(runs, repeats=4, seed=seed)
        assert all(values.shape == (4,) for values in milliseconds.values())
        return "".join(called)

    rounds = [calls(0)[at : at + 6] for at in range(0, len(calls(0)), 6)]
    assert len(rounds) == 9  # 5 to warm up
    assert {"".join(sorted(order)) for order in rounds} == {"aabbcc"}
    assert all(order[0::2] == order[1::2] for order in rounds)
    assert len(set(rounds)) > 1
    assert calls(0) == calls(0) != calls(1)


def test_fastest_is_of_one_file_and_number_of_threads():
    rows = [("a", "x", 1, 3.0), ("a", "y", 1, 2.0), ("a", "x", 2, 1.0), ("b", "x", 1, 0.5)]
    latencies = [Latency(*row, p95_ms=9, min_ms=0.1) for row in rows]
    assert find_fastest(latencies, "a") is latencies[1]
    assert find_fastest(latencies, "a", 2) is latencies[2]
