"""Real processes that are killed, interrupted and starved, and go on."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recu_tf import runs
from recu_tf.runs import checkpoints

EPOCHS = 120
ARGUMENTS = f"--model resnet20_1w1a --dataset digits --epochs {EPOCHS} -b 10 -bt 5 --lr 0.02 -p 1"

pytestmark = pytest.mark.slow


def start(directory, *before, more=(), environment=None, **options):
    command = [
        sys.executable,
        str(Path(__file__).parents[2] / "tiny_training.py"),
        *before,
        "train",
    ]
    where = ["--results_dir", str(directory.parent), "--save", directory.name]
    return subprocess.Popen(
        [*command, *ARGUMENTS.split(), "--resume", *where, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **QUIET, **(environment or {})},
        **options,
    )


# Nothing but the project's own lines may reach standard error.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}


def finish(process, code=0):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return out, errors


def wait_for_line(process, beginning):
    for line in process.stdout:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"no line begins with {beginning!r}: {process.communicate()[1]}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing disturbed."""
    directory = tmp_path_factory.mktemp("results") / "whole"
    finish(start(directory))
    return runs.Run.open(directory)


def assert_same(run, other):
    for which in runs.WHICH:
        for a, b in zip(
            run.load_model(which).get_weights(), other.load_model(which).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    ours, theirs = (checkpoints.load_newest(one.path / "checkpoints") for one in (run, other))
    assert ours.arrays.keys() == theirs.arrays.keys()
    for name, value in ours.arrays.items():
        np.testing.assert_array_equal(value, theirs.arrays[name], err_msg=name)
    lines = [[{**line, "seconds": 0} for line in one.metrics()] for one in (run, other)]
    assert lines[0] == lines[1]


def test_killed_ten_times_it_ends_with_the_same_bits(whole, tmp_path):
    random = np.random.default_rng(4)
    directory = tmp_path / "killed"
    moments = []
    for kill in range(10):
        if kill in (3, 7):
            # In the middle of writing a checkpoint.
            finish(start(directory, "--die-in-checkpoint", "3"), -signal.SIGKILL)
        else:
            process = start(directory)
            # Six lines to an epoch; the first kill comes before there is anything to go on with.
            for _ in range(random.integers(1, 60) if kill else 0):
                wait_for_line(process, "Epoch ")
            time.sleep(random.uniform(0, 0.2))
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
        newest = sorted((directory / "checkpoints").glob("*.npz"))[-1:]
        moments.append(newest[0].stem if newest else None)
    finish(start(directory))
    assert len(set(moments)) > 5, moments
    assert_same(runs.Run.open(directory), whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_saves_and_names_the_way_to_go_on(number, whole, tmp_path):
    process = start(tmp_path / "run")
    wait_for_line(process, "Epoch 3/")
    process.send_signal(number)
    _, errors = finish(process, 128 + number)
    assert errors.count("\n") == 1, errors
    assert errors.startswith(f"recu: {number.name}: stopped ")
    assert f"To resume: recu train --resume --results_dir {tmp_path} --save run" in errors
    finish(start(tmp_path / "run"))
    assert_same(runs.Run.open(tmp_path / "run"), whole)


def test_full_disk_ends_in_one_line_and_keeps_the_last_good_checkpoint(whole, tmp_path):
    directory = tmp_path / "run"
    process = start(directory)
    wait_for_line(process, "Epoch 3/")
    process.kill()
    process.communicate()
    newest = checkpoints.load_newest(directory / "checkpoints")
    # A limit on the size of files fails like a full disk, in the middle of a write.
    limit = 20_000
    process = start(
        directory,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, errors = finish(process, 2)
    assert errors.count("\n") == 1, errors
    assert "could not be written" in errors
    assert not list((directory / "checkpoints").glob(".*"))
    kept = checkpoints.load_newest(directory / "checkpoints")
    assert (kept.epoch, kept.step) >= (newest.epoch, newest.step)
    finish(start(directory))
    assert_same(runs.Run.open(directory), whole)


def free_ports(count):
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start_two(directory, *more):
    """Two processes that train together."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    return [
        start(
            directory,
            more=("--strategy", "multiworker", *more),
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": index}}
                )
            },
        )
        for index in range(2)
    ]


def digest(out):
    """What the processes say of the weights they end with."""
    return next(line for line in out.splitlines() if line.startswith("Weights: "))


def test_two_processes_end_with_identical_weights(tmp_path):
    both = start_two(tmp_path / "run", "--epochs", "2")
    outs = [finish(process)[0] for process in both]
    assert digest(outs[0]) == digest(outs[1])
    assert "Epoch 2/2" in outs[0]
    assert "Epoch" not in outs[1]  # only the chief tells and writes
    assert len(runs.Run.open(tmp_path / "run").metrics()) == 2


@pytest.mark.parametrize("killed", [0, 1])
def test_when_a_process_is_killed_the_other_ends_and_both_can_go_on(killed, tmp_path):
    both = start_two(tmp_path / "run")
    wait_for_line(both[0], "Epoch 3/")
    both[killed].kill()
    both[killed].communicate()
    _, errors = both[1 - killed].communicate(timeout=30)
    assert both[1 - killed].returncode == 4
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("recu")]
    assert len(lines) == 1, errors
    assert lines[0].startswith("recu: Another worker is gone, so the training cannot continue.")
    begun = checkpoints.load_newest(tmp_path / "run" / "checkpoints").epoch
    assert begun >= 2
    both = start_two(tmp_path / "run")
    outs = [finish(process)[0] for process in both]
    assert digest(outs[0]) == digest(outs[1])
    assert f"Epoch {begun + 1}/{EPOCHS}" in outs[0]
    assert f"Epoch {begun}/{EPOCHS}" not in outs[0]
    assert [line["epoch"] for line in runs.Run.open(tmp_path / "run").metrics()] == [*range(EPOCHS)]
