from dataclasses import replace

from export.measurement.delegate_profile import DelegateProfile, Part

PROFILE = DelegateProfile(
    name="mine",
    runtime="delegate (AVX2) in LiteRT 2.3",
    backend="AVX2",
    threads=1,
    steps=[
        Part("quantize", 10.0, 0, 40_000),
        Part("binary convolution 3x3/1 of 8x8x64 to 64 + add", 20.0, 4_000_000, 60_000, True, 64),
    ],
    outside_us=15.0,
    copies_us=5.0,
    operators=[Part("CONV_2D 8x8x3 to 8x8x64", 12.0, 100_000)],
    clock=4.0,
    limit=256.0,
    cache_rate=100.0,
    memory_rate=20.0,
)
BINARY = PROFILE.steps[1]


def test_parts_add_up_to_the_whole_run():
    assert PROFILE.microseconds == 50
    assert [(group.name, PROFILE.share(group)) for group in PROFILE.groups] == [
        ("1 binary convolution", 0.4),
        ("1 other step of the delegate", 0.2),
        ("1 operator outside of the delegate", 0.3),
        ("copies of inputs and outputs", 0.1),
    ]


def test_rates_are_per_cycle_where_the_clock_is_known():
    assert (PROFILE.rate(BINARY), PROFILE.share_of_limit(BINARY)) == (50, 50 / 256)
    assert PROFILE.share_of_limit(PROFILE.operators[0]) is None  # it is float
    unsteady = replace(PROFILE, clock=None)
    assert (unsteady.rate(BINARY), unsteady.share_of_limit(BINARY)) == (200, None)
    assert "MAC/ns" in str(unsteady)
    assert "Clock: not known, since it changed" in str(unsteady)
    assert replace(PROFILE, limit=None).share_of_limit(BINARY) is None


def test_table_has_a_row_for_each_step_and_for_what_is_outside():
    lines = str(PROFILE).splitlines()
    assert lines[0] == (
        "Where the time of mine goes (1 thread, delegate (AVX2) in LiteRT 2.3; medians; the whole "
        "takes 0.050 ms):"
    )
    assert [line.split()[:2] for line in lines[2:7]] == [
        ["10.0", "20.0%"],
        ["20.0", "40.0%"],
        ["15.0", "30.0%"],
        ["5.0", "10.0%"],
        ["50.0", "100.0%"],
    ]
    assert lines[3].split()[2:7] == ["4.00", "50.0", "20%", "60.0", "3.0"]
    assert lines[3].endswith(BINARY.name)
    assert "  12.0  " in lines[9]
    assert lines[-1].startswith("Clock: 4.00 GHz; AVX2 could do at most 256 binary multiply-accumu")
