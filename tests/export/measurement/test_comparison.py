import pytest
from tiny_files import binary_file, float_file

from export.measurement.comparison import Breakdown, SubgraphLatency, break_down, compare
from export.measurement.latency import Latency
from export.measurement.subgraphs import OTHER


def latency(name, backend, threads, median, best):
    return Latency(name, backend, threads, median_ms=median, p95_ms=9, min_ms=best)


def test_files_are_compared_by_their_fastest_backends():
    latencies = [
        latency("mine", "optimized", 1, 4.0, 3.0),
        latency("mine", "reference", 1, 2.0, 1.0),
        latency("mine", "reference", 2, 1.5, 1.0),
        latency("float32", "TFLite", 1, 3.0, 2.8),
        latency("float32", "engine", 1, 3.5, 2.5),
        latency("float32", "TFLite", 2, 1.0, 0.5),
        latency("float32", "TFLite", 4, 0.1, 0.1),
    ]
    one_thread, two_threads = compare(latencies, "mine", "float32")
    assert (one_thread.speedup, one_thread.best_speedup) == (1.5, 2.5)
    assert str(one_thread) == (
        "mine on 1 thread is 1.50 times as fast as float32: 2.00 ms (reference) against 3.00 ms "
        "(TFLite); by their fastest runs 2.50 times as fast"
    )
    assert two_threads.speedup == pytest.approx(1 / 1.5)
    assert "mine on 2 threads is 1.50 times as slow as float32: 1.50 ms" in str(two_threads)


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [
        (
            latency("mine", "reference", 1, 5.1, 4.0),
            latency("other", "TFLite", 1, 0.1, 0.004),
            "mine on 1 thread is 51.00 times as slow as other: 5.10 ms (reference) against "
            "0.10 ms (TFLite); by their fastest runs 1000.00 times as slow",
        ),
        (
            latency("mine", "reference", 1, 0.0041, 0.002),
            latency("other", "TFLite", 1, 0.0082, 0.00001),
            "mine on 1 thread is 2.00 times as fast as other: 0.0041 ms (reference) against "
            "0.0082 ms (TFLite); by their fastest runs 200.00 times as slow",
        ),
    ],
)
def test_each_ratio_has_its_own_direction_and_is_never_below_one(mine, other, expected):
    (comparison,) = compare([mine, other], "mine", "other")
    assert str(comparison) == expected


def test_reasons_name_rates_and_shares_only_where_a_file_is_slower():
    subgraphs = [
        SubgraphLatency("few", {"LceBconv2d": 3}, 10_000_000, 1.0, "few words"),
        SubgraphLatency("many", {"LceBconv2d": 2}, 90_000_000, 0.5),
        SubgraphLatency(OTHER, {"CONV_2D": 1, "ADD": 4}, 1_000_000, 0.5),
    ]
    faster = SubgraphLatency("float32", {}, 101_000_000, 1.01)
    slower = SubgraphLatency("int8", {}, 101_000_000, 3.0)
    breakdown = Breakdown("mine", "reference", 2.1, subgraphs, [faster, slower])
    assert breakdown.explain(slower) == []
    assert breakdown.explain(faster) == [
        "50% of its time goes into 3 few, which do 10.0 multiply-accumulates a nanosecond where "
        "float32 does 100.0: few words",
        "25% of its time goes into 5 operators that are no binary convolutions and do 1.0% of the "
        "multiply-accumulates: 0.50 ms, where all of float32 takes 1.01 ms",
    ]
    assert "Why slower than float32:\n" in str(breakdown)
    assert "Why slower than int8" not in str(breakdown)


def test_breakdown_measures_subgraphs_and_others():
    others = {"float32": (float_file(), "TFLite with XNNPACK")}
    breakdown = break_down("mine", binary_file(), "indirect bgemm", others, repeats=3)
    assert [subgraph.name for subgraph in breakdown.subgraphs] == [
        "binary convolutions of 1 to 32 channels",
        OTHER,
    ]
    assert [other.name for other in breakdown.others] == ["float32"]
    assert breakdown.others[0].multiply_accumulates == sum(
        subgraph.multiply_accumulates for subgraph in breakdown.subgraphs
    )
    assert min(breakdown.median_ms, breakdown.subgraphs_ms, breakdown.others[0].rate) > 0
    assert "1 LceBconv2d" in str(breakdown)
