import pytest
from conftest import tiny_resnet

from experiments.benchmarks import conversion_time
from export.measurement import latency


@pytest.mark.slow  # several conversions
def test_conversions_take_turns(monkeypatch):
    def take_turns(sides, turns, *, warm_up, measure):
        assert warm_up == 1
        return latency.take_turns(sides, turns, warm_up=0, measure=measure)

    monkeypatch.setattr(conversion_time, "build_network", lambda name: tiny_resnet((8, 8, 3), 4))
    monkeypatch.setattr(conversion_time, "take_turns", take_turns)  # half the conversions
    row = conversion_time.time_conversions("resnet20_1w1a", 1)
    ours = conversion_time.OURS
    assert [*row.medians] == [ours, conversion_time.CONVERTED_ONLY, "float32", "int8"]
    assert all(seconds > 0 for seconds in row.medians.values())
