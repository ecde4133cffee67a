from datetime import datetime

import pytest

from recu_tf import progress
from recu_tf.progress import Progress, expected_end


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (90, "ends 23:01 (in 0:01:30)"),
        (3600, "ends Tue 24 Nov 00:00 (in 1:00:00)"),
        (3 * 86400, "ends Thu 26 Nov 23:00 (in 3 days, 0:00:00)"),
    ],
)
def test_expected_end_names_the_day_where_it_is_another(seconds, expected):
    assert expected_end(datetime(2026, 11, 23, 23, 0), seconds) == expected


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def run_epoch(callback, clock, epoch, steps=range(4)):
    callback.on_epoch_begin(epoch)
    for step in steps:
        clock[0] += 2.0
        callback.on_train_batch_end(step, {"loss": 1.5})
    callback.on_epoch_end(epoch, {"loss": 1.25, "lr": 0.1})


def test_lines_come_at_their_frequency_and_after_each_epoch(clock, capsys):
    callback = Progress(epochs=2, steps=4, print_freq=3)
    run_epoch(callback, clock, 0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 1/2  3/4  loss: 1.5  2 s/step  ends ")
    assert lines[0].endswith("(in 0:00:10)")
    assert lines[1].startswith("Epoch 1/2: 8 s  loss: 1.25  lr: 0.1  ends ")
    assert lines[1].endswith("(in 0:00:08)")
    assert len(lines) == 2
    run_epoch(callback, clock, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 2/2  3/4  ")
    assert lines[1] == "Epoch 2/2: 8 s  loss: 1.25  lr: 0.1"


def test_resumed_epoch_counts_on(clock, capsys):
    callback = Progress(epochs=3, steps=4, first_step=6, print_freq=1)
    run_epoch(callback, clock, 1, range(2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 2/3  3/4  ")
    assert lines[0].endswith("(in 0:00:10)")
    assert len(lines) == 2


def test_estimate_and_lines_can_be_left_out(clock, capsys):
    run_epoch(Progress(2, 4, print_freq=0, time_estimate=False), clock, 0)
    assert capsys.readouterr().out == "Epoch 1/2: 8 s  loss: 1.25  lr: 0.1\n"


def test_terminal_gets_one_line_that_redraws_itself(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stdout, "isatty", lambda: True, raising=False)
    run_epoch(Progress(1, 4), clock, 0)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert printed.count("\r") == 4
