import subprocess

import pytest

from experiments.benchmarks import start_up
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress


def test_command_line_is_compared_with_its_target(monkeypatch):
    monkeypatch.setattr(start_up, "make_start", lambda code, arguments=(): lambda: None)
    progress = Progress()
    start_up.measure_start_up(BenchmarkOptions(repeats=1), progress)
    command, library = progress.tables
    assert command.rows[0].medians["target"] == start_up.TARGET_MS
    assert command.rows[0].losses in ([], ["python alone"])
    assert library.sides == ["recu_tf", "TensorFlow and Larq"]


def test_code_that_fails_is_no_measurement():
    start_up.make_start("pass")()
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        start_up.make_start("import sys; sys.exit(3)")()
