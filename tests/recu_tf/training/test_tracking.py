import json
import sys
from dataclasses import replace
from types import ModuleType

import pytest
from conftest import few_digits, tiny_resnet

from experiments import cli
from recu_tf import runs, training
from recu_tf.training import tracking
from recu_tf.training.errors import TrainingInterrupted
from recu_tf.training.trackers import MlflowTracker, WandbTracker

CONFIG = {
    "settings": {"seed": 1},
    "num_classes": 2,
    "class_names": None,
    "input_shape": [8, 8, 1],
    "normalization": {"mean": [0.5], "std": [0.5]},
}


class FakeTracker:
    """Remembers what it is given, and is out of reach while `is_down`."""

    runs: dict = {}  # noqa: RUF012 - a test puts another one here
    is_down = False

    def __init__(self, name, run_id, settings):
        self.run_id = run_id or f"id-{len(self.runs)}"
        self.epochs, self.ended = self.runs.setdefault(self.run_id, ([], []))
        self.name, self.settings = name, settings

    def log_epoch(self, epoch, values):
        if self.is_down:
            raise RuntimeError("no connection")
        self.epochs.append((epoch, values))

    def finish(self, ending, summary):
        self.ended.append((ending, summary))


@pytest.fixture
def fake(monkeypatch):
    """A service in the place of MLflow."""
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(tracking.TRACKERS, "mlflow", FakeTracker)
    monkeypatch.setattr(FakeTracker, "runs", {})
    return FakeTracker


def add_epoch(run, epoch, accuracy=0.5):
    layers = {"conv": {"dead_weights": 0.1}}
    run.append_metrics({"epoch": epoch, "val_accuracy": accuracy, "layers": layers})


def train_one_epoch_and_be_stopped(path):
    try:
        with tracking.track("mlflow", path, {"seed": 1}) as (logger,):
            run = runs.Run.create(path, CONFIG)
            logger.on_train_begin()
            add_epoch(run, 0)
            logger.on_epoch_end(0)
            add_epoch(run, 1, 0.7)  # a signal comes before the logger is called
            raise TrainingInterrupted("stopped", 15)
    except TrainingInterrupted:
        return logger


def test_epochs_and_the_best_are_sent_and_a_resumed_run_goes_on(fake, tmp_path):
    path = tmp_path / "seeds" / "seed1"
    logger = train_one_epoch_and_be_stopped(path)
    assert logger.tracker.name == "seeds/seed1"
    assert logger.tracker.settings == {"seed": 1}
    run = runs.Run.open(path)
    with tracking.track("mlflow", path, {"seed": 1}) as (logger,):
        logger.on_train_begin()
        add_epoch(run, 2)
        logger.on_epoch_end(2)
        run.config["test"] = {"top_1": 0.6}
        run.write_config()
    assert list(fake.runs) == ["id-0"]
    epochs, ended = fake.runs["id-0"]
    assert epochs == [
        (number, {"val_accuracy": value}) for number, value in ((1, 0.5), (2, 0.7), (3, 0.5))
    ]
    best = {"best_epoch": 2, "best_val_accuracy": 0.7}
    assert ended == [("interrupted", best), ("finished", {**best, "test_top_1": 0.6})]
    kept = json.loads((path / "tracking.json").read_text())
    assert kept == {"mlflow": {"id": "id-0", "epochs": 3}}


def test_epochs_that_cannot_be_sent_are_sent_with_the_next(fake, tmp_path, monkeypatch):
    run = runs.Run.create(tmp_path / "run", CONFIG)
    with tracking.track("mlflow", run.path, {}) as (logger,):
        add_epoch(run, 0)
        monkeypatch.setattr(fake, "is_down", True)
        with pytest.warns(UserWarning, match="mlflow could not be reached: no connection"):
            logger.on_epoch_end(0)
        monkeypatch.setattr(fake, "is_down", False)
        add_epoch(run, 1)
        logger.on_epoch_end(1)
    epochs, _ = fake.runs["id-0"]
    assert [number for number, _ in epochs] == [1, 2]


def test_training_that_fails_before_its_run_exists_ends_as_failed(fake, tmp_path):
    with (
        pytest.raises(FileExistsError, match="taken"),
        tracking.track("mlflow", tmp_path / "run", {}),
    ):
        raise FileExistsError("taken")
    assert fake.runs["id-0"] == ([], [("failed", {})])
    assert not (tmp_path / "run").exists()


def test_service_that_takes_no_run_is_one_error(fake, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("no key\n" + "and so on " * 1000)

    monkeypatch.setitem(tracking.TRACKERS, "mlflow", refuse)
    with (
        pytest.raises(
            OSError, match=r"mlflow does not take the run: no key and so .{1,200} \.\.\.$"
        ),
        tracking.track("mlflow", tmp_path / "run", {}),
    ):
        pytest.fail("the training began")


def test_log_that_is_not_installed_or_known_is_refused_first(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    place = ["--results_dir", str(tmp_path / "results")]
    assert cli.main(["train", "--dataset", "digits", *place, "--log", "wandb"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "pip install 'recu_tf[wandb]'" in error
    assert cli.main(["train", "--dataset", "digits", "--dry_run", "--log", "wandb"]) == 2
    assert capsys.readouterr().err == error
    assert not (tmp_path / "results").exists()
    with pytest.raises(ValueError, match="`log` must be one of mlflow, wandb, got 'disk'"):
        tracking.check_log("disk")


@pytest.mark.parametrize("text", ["{", "[]", '{"mlflow": 3}'])
def test_damaged_file_of_a_run_is_named(tmp_path, text):
    (tmp_path / "tracking.json").write_text(text)
    with (
        pytest.raises(ValueError, match=r"tracking\.json is damaged"),
        tracking.track("mlflow", tmp_path, {}),
    ):
        pytest.fail("the training began")


@pytest.mark.slow
def test_training_is_logged_and_resumed(fake, settings, tmp_path, monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    short = replace(settings, epochs=1, warm_up=False)
    training.train(short, tmp_path / "run", log="mlflow")
    training.train(replace(short, epochs=2), tmp_path / "run", log="mlflow", resume=True)
    (epochs, ended), *others = fake.runs.values()
    assert not others
    assert [number for number, _ in epochs] == [1, 2]
    assert {"loss", "val_loss", "lr", "tau", "dead_weights", "seconds"} <= epochs[0][1].keys()
    assert [ending for ending, _ in ended] == ["finished", "finished"]


def test_run_in_mlflow_is_continued(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "comparison")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    tracker = MlflowTracker("run", None, {"seed": 1, "epochs": 2})
    tracker.log_epoch(1, {"loss": 2.0})
    tracker.finish("interrupted", {})
    again = MlflowTracker("run", tracker.run_id, {"seed": 1, "epochs": 3})
    again.log_epoch(2, {"loss": 1.0})
    again.finish("finished", {"best_epoch": 2})
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("comparison").experiment_id
    (found,) = client.search_runs([experiment])
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert found.data.params == {"seed": "1", "epochs": "2"}
    assert found.data.tags["changed.epochs"] == "3"
    history = client.get_metric_history(tracker.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]
    assert found.data.metrics["best_epoch"] == 2


@pytest.mark.slow
def test_run_in_weights_and_biases_is_kept_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs the extra wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    tracker = WandbTracker("run", None, {"seed": 1})
    tracker.log_epoch(1, {"loss": 2.0})
    tracker.finish("finished", {"best_epoch": 1})
    again = WandbTracker("run", tracker.run_id, {"seed": 1})
    again.log_epoch(2, {"loss": 1.0})
    again.finish("finished", {"best_epoch": 2})
    assert again.run_id == tracker.run_id
    kept = list(tmp_path.glob(f"wandb/offline-run-*-{tracker.run_id}/*.wandb"))
    assert kept
