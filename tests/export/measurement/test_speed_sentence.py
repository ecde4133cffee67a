from dataclasses import replace

from tiny_files import binary_file, float_file

from export.measurement import speed_sentence
from export.measurement.comparison import Breakdown, SubgraphLatency
from export.measurement.delegate_profile import DelegateProfile, Part
from export.measurement.latency import Latency
from export.measurement.speed_sentence import (
    explain,
    explain_by_profile,
    write_sentence,
)

BINARY = Latency("mine.tflite", "delegate", 1, median_ms=0.5, p95_ms=9, min_ms=0.1)
FLOAT = Latency("float32", "TFLite with XNNPACK", 1, median_ms=2.0, p95_ms=9, min_ms=0.1)
WHOLE_FLOAT = SubgraphLatency("float32", {}, 40_000_000, 2.0)
NARROW = Part("binary convolution 3x3/1 of 8x8x16 to 16", 60.0, 2_400_000, 1, True, 16)
WIDE = Part("binary convolution 3x3/1 of 8x8x64 to 64", 10.0, 2_400_000, 1, True, 64)
PROFILE = DelegateProfile(
    name="mine.tflite",
    runtime="delegate (AVX2) in LiteRT 2.3",
    backend="AVX2",
    threads=1,
    steps=[Part("quantize", 5.0), NARROW, WIDE, Part("average pool", 15.0)],
    outside_us=9.0,
    copies_us=1.0,
    operators=[Part("CONV_2D 8x8x3 to 8x8x16", 7.0, 100_000)],
    clock=4.0,
    limit=256.0,
    cache_rate=100.0,
    memory_rate=20.0,
)


def test_file_that_is_faster_needs_no_reason():
    assert write_sentence("The file", BINARY, FLOAT, ["it is narrow"]) == (
        "The file is 4.00 times as fast as float32 here on 1 thread: 0.50 ms (delegate) against "
        "2.00 ms (TFLite with XNNPACK)."
    )


def test_file_that_is_slower_is_explained_in_the_same_sentence():
    slower = replace(BINARY, median_ms=4.0, threads=2, backend="reference")
    sentence = write_sentence("The file", slower, replace(FLOAT, threads=2), ["this", "that"])
    assert sentence == (
        "The file is 0.50 times as fast as float32 here on 2 threads: 4.00 ms (reference) against "
        "2.00 ms (TFLite with XNNPACK), because this; that."
    )
    assert write_sentence("It", slower, FLOAT).endswith(", and why was not measured.")


def test_reasons_are_the_largest_parts_of_the_profile():
    assert explain_by_profile(PROFILE, WHOLE_FLOAT) == [
        "70% of its time goes into 2 binary convolutions, which do 17.1 multiply-accumulates a "
        "cycle, 7% of what AVX2 could do (10.0 where they have 16 channels, 60.0 where 64), where "
        "float32 does 5.0"
    ]


def test_float_operators_are_the_reason_where_they_take_the_time():
    profile = replace(PROFILE, outside_us=180.0)
    assert explain_by_profile(profile, WHOLE_FLOAT) == [
        "66% of its time goes into 1 operator outside of the delegate, of which CONV_2D 8x8x3 to "
        "8x8x16 is the longest with 3%"
    ]
    others = replace(PROFILE, steps=[WIDE, Part("average pool", 30.0)], clock=None)
    assert explain_by_profile(others, WHOLE_FLOAT) == [
        "60% of its time goes into 1 other step of the delegate, of which average pool is the "
        "longest with 60%"
    ]


def test_widths_whose_rates_hardly_differ_are_not_named():
    wide = replace(WIDE, microseconds=40.0)
    (reason,) = explain_by_profile(replace(PROFILE, steps=[NARROW, wide]), WHOLE_FLOAT)
    assert "channels" not in reason


def test_reasons_of_the_engine_are_those_of_its_groups(monkeypatch):
    monkeypatch.setattr("export.runtime.find_problem", lambda: None)
    group = SubgraphLatency("few channels", {"LceBconv2d": 3}, 10_000_000, 3.0, "few words")
    breakdown = Breakdown("mine", "reference", 3.0, [group], [WHOLE_FLOAT])
    assert explain(breakdown, WHOLE_FLOAT) == [
        "100% of its time goes into 3 few channels, which do 3.3 multiply-accumulates a nanosecond "
        "where float32 does 20.0: few words"
    ]


def test_slower_file_is_measured_for_the_reason_and_a_faster_one_is_not(monkeypatch):
    def measure(*arguments, **_):
        measured.append(arguments[0])
        raise RuntimeError("cannot be run alone")

    measured = []
    monkeypatch.setattr(speed_sentence, "profile_delegate", measure)
    monkeypatch.setattr(speed_sentence, "break_down", measure)
    monkeypatch.setattr("export.runtime.find_problem", lambda: None)
    files = binary_file(), float_file()
    faster = speed_sentence.compare_with_float(BINARY, files[0], FLOAT, files[1])
    assert faster.startswith("The file is 4.00 times as fast as float32 here on 1 thread: ")
    assert measured == []
    slower = replace(BINARY, median_ms=4.0)
    sentence = speed_sentence.compare_with_float(slower, files[0], FLOAT, files[1])
    assert sentence.endswith(", and why was not measured.")
    monkeypatch.setattr("export.runtime.find_problem", lambda: "it is absent")
    slower = replace(slower, name="in the engine", backend="indirect bgemm")
    sentence = speed_sentence.compare_with_float(slower, files[0], FLOAT, files[1])
    assert sentence.endswith(", because the delegate, which may run it faster, is missing here.")
    assert measured == ["mine.tflite", "in the engine"]
