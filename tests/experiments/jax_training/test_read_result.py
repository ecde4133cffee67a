"""Tests of runs that are made of the results of jobs."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from experiments.jax_training.read_result import read_result
from recu_tf import models, networks
from recu_tf.runs import Run
from recu_tf.settings import Settings


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, list[np.ndarray]]:
    """A folder with a job of two epochs, its results in `out`, and the trained weights."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "small").mkdir()
    (folder / "out").mkdir()
    weights = models.build("resnet20_1w1a", "digits").get_weights()
    names = [f"v{number}" for number in range(len(weights))]
    settings = Settings(model="resnet20_1w1a", dataset="digits", epochs=2)
    job = {"settings": asdict(settings), "weights": names}
    (folder / "small" / "job.json").write_text(json.dumps(job))
    np.savez(
        folder / "small" / "arrays.npz",
        rates=np.full((2, 3), 0.1),
        taus=np.array([0.85, 0.9]),
        training=np.arange(1437),
    )
    np.savez(folder / "out" / "small.npz", **dict(zip(names, weights, strict=True)))
    write_lines(folder, [50.0, 60.0])
    return folder, weights


def write_lines(folder: Path, top_1: list[float]) -> None:
    lines = [
        {
            "epoch": epoch,
            "loss": 1.0,
            "training_top_1": 70.0,
            "top_1": value,
            "seconds": 2.0,
            "jax": "0.11.2",
        }
        for epoch, value in enumerate(top_1)
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "out" / "small.jsonl").write_text(text)


def test_a_result_becomes_a_run_with_its_network_and_metrics(finished, tmp_path):
    folder, weights = finished
    run = read_result(folder, "small", folder / "out", tmp_path / "run")
    network = networks.load(run.path).model
    for read, given in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(read, given)
    assert run.find_best_epoch()["epoch"] == 1
    assert [line["val_accuracy"] for line in run.metrics()] == [0.5, 0.6]
    assert Settings.of_run(run).epochs == 2
    assert run.config["versions"]["jax"] == "0.11.2"


@pytest.mark.parametrize(
    ("top_1", "message"),
    [([50.0], "small has trained 1 of 2 epochs"), ([60.0, 50.0], "the best epoch is 0")],
)
def test_a_result_without_the_best_network_is_refused(finished, tmp_path, top_1, message):
    folder = tmp_path / "jobs"
    shutil.copytree(finished[0], folder)
    write_lines(folder, top_1)
    with pytest.raises(ValueError, match=message):
        read_result(folder, "small", folder / "out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_trial_gives_no_run(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "job.json").write_text(json.dumps({"settings": {}}))
    with pytest.raises(ValueError, match="must be the job of a recipe, got base"):
        read_result(tmp_path, "base", tmp_path, tmp_path / "run")


def test_a_directory_that_holds_a_run_is_refused_before_the_result_is_read(finished, tmp_path):
    folder, _ = finished
    Run.create(tmp_path / "run", {})
    with pytest.raises(FileExistsError, match="already holds a run"):
        read_result(folder, "not a job", folder / "out", tmp_path / "run")
