from datetime import datetime

import pytest

from recu_tf import metrics
from recu_tf.durations import format_duration
from recu_tf.training import progress
from recu_tf.training.progress import Progress, format_end


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (90, "ends 23:01 (in 1 min 30 s)"),
        (3600, "ends Tue 24 Nov 00:00 (in 1 h)"),
        (3 * 86400, "ends Thu 26 Nov 23:00 (in 3 d)"),
    ],
)
def test_expected_end_names_the_day_unless_it_is_today(seconds, expected):
    assert format_end(datetime(2026, 11, 23, 23, 0), seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.0312, "0.031 s"),
        (8.44, "8.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (72, "1 min 12 s"),
        (3599.6, "1 h"),
        (7512, "2 h 5 min"),
        (86399, "1 d"),
        (100_000, "1 d 4 h"),
    ],
)
def test_durations_are_in_units_that_suit_them(seconds, expected):
    assert format_duration(seconds) == expected


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def run_epoch(callback, clock, epoch, steps=range(4), first=2.0, test=(0.0,)):
    """An epoch of steps that take 2 s, the first of them `first`, and an evaluation."""
    callback.on_epoch_begin(epoch)
    for step in steps:
        clock[0] += 2.0 if step else first
        callback.on_train_batch_end(step, {"loss": 1.5})
    for step, seconds in enumerate(test):
        clock[0] += seconds
        callback.on_test_batch_end(step)
    callback.on_test_end()
    callback.on_epoch_end(epoch, {"loss": 1.25, "lr": 0.1})


def test_lines_come_at_their_frequency_and_after_each_epoch(clock, capsys):
    callback = Progress(epochs=2, steps=4, print_freq=3)
    run_epoch(callback, clock, 0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 1/2  step 3/4  loss 1.5  2 s/step  ends ")
    assert lines[0].endswith("(in 10 s)")
    assert lines[1].startswith("Epoch 1/2  8 s  loss 1.25  lr 0.1  ends ")
    assert lines[1].endswith("(in 8 s)")
    assert len(lines) == 2
    run_epoch(callback, clock, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Epoch 2/2  step 3/4  ")
    assert lines[1] == "Epoch 2/2  8 s  loss 1.25  lr 0.1"


def test_resumed_epoch_continues_to_count(clock, capsys):
    callback = Progress(epochs=3, steps=4, first_step=5, print_freq=1)
    run_epoch(callback, clock, 1, range(3))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 2/3  step 2/4  loss 1.5"
    assert lines[1].startswith("Epoch 2/3  step 3/4  ")
    assert lines[1].endswith("(in 10 s)")
    assert len(lines) == 3


@pytest.mark.parametrize("first_step", [0, 8])
def test_estimate_leaves_out_the_compilation_of_first_steps(first_step, clock, capsys):
    callback = Progress(epochs=5, steps=4, first_step=first_step, print_freq=2)
    epoch = first_step // 4
    run_epoch(callback, clock, epoch, first=60.0, test=(30.0, 1.0))
    lines = capsys.readouterr().out.splitlines()
    # Of the second step alone; how long an evaluation takes is not known yet.
    steps = 18 - first_step
    assert lines[0].endswith(f"  2 s/step  {format_end(datetime.now(), 2 * steps)}")
    assert lines[1].endswith(f"(in {format_duration((steps - 2) * 2 + (4 - epoch) * 1)})")
    # From the second epoch on, with all that lies between two of them.
    run_epoch(callback, clock, epoch + 1, test=(1.0, 1.0))
    assert f"(in {format_duration((3 - epoch) * 10)})" in capsys.readouterr().out.splitlines()[1]


def test_estimate_and_lines_can_be_left_out(clock, capsys):
    run_epoch(Progress(epochs=2, steps=4, print_freq=0, time_estimate=False), clock, 0)
    assert capsys.readouterr().out == "Epoch 1/2  8 s  loss 1.25  lr 0.1\n"


def test_lines_of_a_whole_training_fit_and_share_their_units(clock, capsys):
    callback = Progress(epochs=600, steps=4)
    callback.on_epoch_begin(0)
    for step in range(4):
        clock[0] += 3000
        callback.on_train_batch_end(step, {"loss": 1.5})
    names = ("loss", "accuracy", "top_5", "val_loss", "val_accuracy", "val_top_5", "lr", "tau")
    logs = dict.fromkeys((*names, *metrics.METRICS), 0.123456)
    callback.on_epoch_end(0, logs)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 100
    printed = "  ".join(line.strip() for line in lines)
    assert printed.startswith(
        "Epoch 1/600  3 h 20 min  loss 0.1235, test 0.1235  top-1 12.35, test 12.35 %  lr 0.1235  "
        "tau 0.1235  dead 12.3 %  flipped 12.3 %  error 12.3 %  entropy 0.1235  ends"
    )


@pytest.mark.parametrize("columns", [200, 20])
def test_terminal_gets_one_line_that_redraws_itself(columns, clock, capsys, monkeypatch):
    monkeypatch.setattr(progress.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    run_epoch(Progress(epochs=1, steps=4), clock, 0)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert printed.count("\r") == 4
    # What breaks into two lines on the terminal is not drawn over again.
    drawn = [line.removesuffix("\x1b[K") for line in printed.split("\r")[1:-1]]
    assert max(map(len, drawn)) < columns
