"""Trainings as processes that are killed, interrupted and starved of disk space, and resume."""

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
from conftest import assert_same_arrays

from recu_tf import runs
from recu_tf.runs import checkpoints

EPOCHS = 40
# Of two processes that train together: each is killed three epochs after it has begun or resumed.
EPOCHS_OF_TWO = 16
ARGUMENTS = f"--model resnet20_1w1a --dataset digits --epochs {EPOCHS} -b 10 -bt 5 --lr 0.02 -p 1"
SCRIPT = Path(__file__).parents[2] / "tiny_training.py"
# Nothing but the project's own lines may reach standard error.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}

pytestmark = pytest.mark.slow


def start(directory, *before, more=(), environment=None, **options):
    command = [sys.executable, str(SCRIPT), *before, "train"]
    where = ["--results_dir", str(directory.parent), "--save", directory.name]
    return subprocess.Popen(
        [*command, *ARGUMENTS.split(), "--resume", *where, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **QUIET, **(environment or {})},
        **options,
    )


def finish(process, code=0):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return output, errors


def wait_for_line(process, beginning):
    for line in process.stdout:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"no line begins with {beginning!r}: {process.communicate()[1]}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A training that nothing disturbed."""
    directory = tmp_path_factory.mktemp("results") / "undisturbed"
    finish(start(directory))
    return runs.Run.open(directory)


def assert_same(run, other):
    for which in runs.WHICH:
        weights, expected = (trained.load_model(which).get_weights() for trained in (run, other))
        assert_same_arrays(weights, expected)
    arrays, expected = (
        checkpoints.load_newest(trained.path / "checkpoints").arrays for trained in (run, other)
    )
    assert arrays.keys() == expected.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    lines, expected = (
        [{**line, "seconds": 0} for line in trained.metrics()] for trained in (run, other)
    )
    assert lines == expected


def test_training_killed_five_times_ends_with_the_same_bits(undisturbed, tmp_path):
    random = np.random.default_rng(4)
    directory = tmp_path / "killed"
    moments = []
    for kill in range(5):
        if kill == 2:
            # In the middle of writing a checkpoint.
            finish(start(directory, "--die-in-checkpoint", "3"), -signal.SIGKILL)
        else:
            process = start(directory)
            # An epoch has five lines; the first kill comes before there is anything to resume.
            for _ in range(random.integers(6, 36) if kill else 0):
                wait_for_line(process, "Epoch ")
            time.sleep(random.uniform(0, 0.2))
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
        newest = sorted((directory / "checkpoints").glob("*.npz"))[-1:]
        moments.append(newest[0].stem if newest else None)
    finish(start(directory))
    assert len(set(moments)) == 5, moments
    assert_same(runs.Run.open(directory), undisturbed)


def test_signals_and_a_full_disk_end_in_one_line_and_the_run_resumes(undisturbed, tmp_path):
    directory = tmp_path / "run"
    for number in (signal.SIGTERM, signal.SIGINT):
        process = start(directory)
        for _ in range(12):
            wait_for_line(process, "Epoch ")
        process.send_signal(number)
        _, errors = finish(process, 128 + number)
        assert errors.count("\n") == 1, errors
        assert errors.startswith(f"recu: {number.name}: stopped ")
        assert f"To resume: recu train --resume --results_dir {tmp_path} --save run" in errors
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
    assert_same(runs.Run.open(directory), undisturbed)


def find_free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for endpoint in sockets:
        endpoint.bind(("127.0.0.1", 0))
    ports = [endpoint.getsockname()[1] for endpoint in sockets]
    for endpoint in sockets:
        endpoint.close()
    return ports


def start_two(directory):
    """Two processes that train together."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in find_free_ports(2)]}
    return [
        start(
            directory,
            more=("--strategy", "multiworker", "--epochs", str(EPOCHS_OF_TWO)),
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": index}}
                )
            },
        )
        for index in range(2)
    ]


def find_digest(output):
    """The digest of the weights that a process ends with."""
    return next(line for line in output.splitlines() if line.startswith("Weights: "))


def test_when_a_process_is_killed_the_other_ends_and_both_resume_with_identical_weights(tmp_path):
    epoch = 0
    for killed in (0, 1):
        processes = start_two(tmp_path / "run")
        wait_for_line(processes[0], f"Epoch {epoch + 3}/")
        processes[killed].kill()
        processes[killed].communicate()
        _, errors = processes[1 - killed].communicate(timeout=60)
        assert processes[1 - killed].returncode == 4
        assert "Traceback" not in errors
        lines = [line for line in errors.splitlines() if line.startswith("recu")]
        assert len(lines) == 1, errors
        assert lines[0].startswith("recu: Another worker is gone, so the training cannot continue.")
        begun, epoch = epoch, checkpoints.load_newest(tmp_path / "run" / "checkpoints").epoch
        assert epoch >= begun + 2
    outputs = [finish(process)[0] for process in start_two(tmp_path / "run")]
    assert find_digest(outputs[0]) == find_digest(outputs[1])
    assert f"Epoch {epoch + 1}/{EPOCHS_OF_TWO}" in outputs[0]
    assert f"Epoch {epoch}/{EPOCHS_OF_TWO}" not in outputs[0]
    assert "Epoch" not in outputs[1]  # only the chief prints and writes
    lines = runs.Run.open(tmp_path / "run").metrics()
    assert [line["epoch"] for line in lines] == [*range(EPOCHS_OF_TWO)]
