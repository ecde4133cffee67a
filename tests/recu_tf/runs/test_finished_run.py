"""Tests of runs of networks that were trained elsewhere."""

import numpy as np
import pytest
import tensorflow as tf
from small_run import CONFIG

from recu_tf.runs import Run
from recu_tf.runs.finished_run import write_finished_run
from recu_tf.runs.locking import lock_directory
from recu_tf.runs.run import LEFTOVERS

METRICS = [{"epoch": 0, "val_accuracy": 0.5}, {"epoch": 1, "val_accuracy": 0.6}]


@pytest.fixture
def network() -> tf.keras.Model:
    tf.keras.utils.set_random_seed(0)
    return tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])


def test_run_has_the_network_and_its_metrics(tmp_path, network):
    run = write_finished_run(tmp_path / "results" / "run", CONFIG, network, METRICS)
    assert run.metrics() == METRICS
    for which in ("best", "last"):
        for read, given in zip(run.load_model(which).weights, network.weights, strict=True):
            np.testing.assert_array_equal(read, given)


def test_what_a_killed_training_left_makes_room_for_a_run(tmp_path, network):
    with (
        lock_directory(tmp_path / "run"),
        pytest.raises(OSError, match="run is being trained by another process"),
    ):
        write_finished_run(tmp_path / "run", CONFIG, network)
    (tmp_path / "run").mkdir()
    for name in LEFTOVERS:
        (tmp_path / "run" / name).touch()
    run = write_finished_run(tmp_path / "run", CONFIG, network)
    expected = ["best.keras", "config.json", "last.keras"]
    assert sorted(path.name for path in run.path.iterdir()) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_interrupted_writing_leaves_nothing(tmp_path, network, monkeypatch):
    def interrupt(self, model, which):
        raise KeyboardInterrupt("while the network is saved")

    monkeypatch.setattr(Run, "save_model", interrupt)
    with pytest.raises(KeyboardInterrupt, match="while the network is saved"):
        write_finished_run(tmp_path / "run", CONFIG, network, METRICS)
    assert not list(tmp_path.iterdir())
