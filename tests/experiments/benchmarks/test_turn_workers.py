import time

import pytest

from experiments.benchmarks import turn_workers
from experiments.benchmarks.turn_workers import measure_processor_time, measure_wall_time


def test_waiting_takes_time_but_no_processor_time(monkeypatch):
    monkeypatch.setattr(turn_workers, "LOOK_AGAIN_SECONDS", 0.001)
    wait = 0.05
    # sleep() waits at least as long as asked; looking at the clock takes far less than a tenth.
    assert measure_wall_time(lambda: time.sleep(wait)) >= 1e3 * wait
    assert measure_processor_time(lambda: time.sleep(wait)) < 1e2 * wait


def make_sum(numbers):
    return lambda: sum(range(numbers))


@pytest.mark.slow  # processes that load TensorFlow
def test_an_error_in_a_process_is_raised():
    with pytest.raises(TypeError, match="interpreted as an integer"):
        turn_workers.measure_in_workers({"A": (make_sum, ("x",)), "B": (make_sum, (3,))}, 1)
