import dataclasses
import json
import signal

import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits
from tensorflow.python.summary.summary_iterator import summary_iterator

from recu_tf import data, evaluation, models, networks, runs, training
from recu_tf.runs import checkpoints
from recu_tf.settings import Settings
from recu_tf.training.errors import LossNotFinite, TrainingInterrupted
from recu_tf.training.progress import Progress


@pytest.fixture
def settings():
    return Settings(
        model="resnet20_1w1a",
        dataset="digits",
        epochs=2,
        batch_size=10,
        batch_size_test=4,
        lr=0.01,
        warm_up=True,
    )


def same_bits(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_training_leaves_a_whole_run_directory(settings, monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    run = training.train(settings, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "  tau 0.85  " in printed

    config = json.loads((run.path / "config.json").read_text())
    assert config["settings"]["batch_size"] == 10
    assert config["input_shape"] == [32, 32, 3]
    assert config["class_names"] == list("0123456789")
    assert config["normalization"]["mean"] == [0.305] * 3

    lines = run.metrics()
    assert [line["epoch"] for line in lines] == [0, 1]
    assert lines[0]["lr"] == pytest.approx(0.01 / 5)
    assert lines[0]["tau"] == pytest.approx(0.85)
    assert lines[1]["tau"] > 0.85
    assert set(lines[0]) >= {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert 0 < lines[0]["dead_weights"] < 1
    assert set(lines[0]["layers"]) == {
        f"layer{stage}.0.conv{number}" for stage in (1, 2) for number in (1, 2)
    }

    tags = {
        value.tag
        for file in (run.path / "logs").rglob("*tfevents*")
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {"epoch_loss", "epoch_lr", "epoch_tau", "epoch_dead_weights"} <= tags

    # Evaluated anew, the last model gives the validation of the last epoch.
    batches, count = evaluation.load_evaluation_set(run)
    assert count == 10
    last, best = (
        evaluation.evaluate(networks.keras_classifier(run.load_model(which)).predict, batches)
        for which in ("last", "best")
    )
    assert last["images"] == 10
    assert last["top_1"] == pytest.approx(lines[1]["val_accuracy"])
    assert last["loss"] == pytest.approx(lines[1]["val_loss"], rel=1e-5)
    assert best["top_1"] == pytest.approx(max(line["val_accuracy"] for line in lines))


@pytest.mark.slow
def test_training_follows_the_seed(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    runs_of_seeds = [
        training.train(dataclasses.replace(settings, epochs=1, seed=seed), tmp_path / str(number))
        for number, seed in enumerate((0, 0, 1))
    ]
    first, again, other = (run.load_model("last").get_weights() for run in runs_of_seeds)
    assert same_bits(first, again)
    assert not same_bits(first, other)


def test_occupied_directory_is_refused_before_anything_is_read(settings, monkeypatch, tmp_path):
    runs.Run.create(tmp_path / "run", {})
    monkeypatch.setattr(data, "load_training_set", lambda *_, **__: pytest.fail("data was read"))
    with pytest.raises(FileExistsError, match="already holds a run"):
        training.train(settings, tmp_path / "run")


def at_step(monkeypatch, step, act):
    """Has `act` happen while a step runs, counted from 1 over the whole training."""
    before = Progress.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        before(self, batch, logs)
        if self.done == step:
            act()

    monkeypatch.setattr(Progress, "on_train_batch_end", on_train_batch_end)


def test_interrupted_training_goes_on_as_if_nothing_had_happened(settings, monkeypatch, tmp_path):
    number = signal.SIGTERM
    few_digits(monkeypatch)
    settings = dataclasses.replace(settings, epochs=4)
    whole = training.train(settings, tmp_path / "whole")
    # Steps come three to an epoch: the fourth is heard before the fifth, the last of an epoch
    # after its evaluation.
    for step in (4, 6, 8):
        with monkeypatch.context() as patch:
            at_step(patch, step, lambda: signal.raise_signal(number))
            with pytest.raises(
                TrainingInterrupted, match=f"{number.name}: stopped .* and saved"
            ) as e:
                training.train(settings, tmp_path / "parts", resume=True)
            assert e.value.exit_code == 128 + number
    parts = training.train(settings, tmp_path / "parts", resume=True)
    for which in runs.WHICH:
        assert same_bits(*(run.load_model(which).get_weights() for run in (whole, parts)))
    lines = [
        [{k: v for k, v in line.items() if k != "seconds"} for line in run.metrics()]
        for run in (whole, parts)
    ]
    assert lines[0] == lines[1]
    newest = [checkpoints.load_newest(run.path / "checkpoints") for run in (whole, parts)]
    assert newest[0].arrays.keys() == newest[1].arrays.keys()
    assert all(np.array_equal(a, newest[1].arrays[name]) for name, a in newest[0].arrays.items())


@pytest.mark.slow
def test_finished_training_is_not_trained_again(settings, monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    run = training.train(settings, tmp_path / "run")
    before = run.model_path("last").read_bytes()
    capsys.readouterr()
    again = training.train(settings, tmp_path / "run", resume=True)
    assert "Epoch" not in capsys.readouterr().out
    assert again.metrics() == run.metrics()
    assert run.model_path("last").read_bytes() == before


@pytest.mark.slow
def test_truncated_checkpoint_falls_back_to_the_one_before(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    run = training.train(settings, tmp_path / "run")
    older, newest = sorted((run.path / "checkpoints").glob("*.npz"))
    weights = run.load_model("last").get_weights()
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged and was skipped"):
        training.train(settings, run.path, resume=True)
    assert sorted((run.path / "checkpoints").glob("*.npz")) == [older, newest]
    assert same_bits(run.load_model("last").get_weights(), weights)


@pytest.mark.slow
def test_lost_checkpoints_and_changed_images_are_refused(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    run = training.train(settings, tmp_path / "run")
    few_digits(monkeypatch, train=20)
    with pytest.raises(ValueError, match="training_images were 24, got 20"):
        training.train(settings, run.path, resume=True)
    for path in (run.path / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="no checkpoint to resume from, although it was trained"):
        training.train(settings, run.path, resume=True)
    assert len(run.metrics()) == 2


def test_imported_run_is_no_training_to_resume(settings, tmp_path):
    runs.Run.create(
        tmp_path / "run",
        {
            "settings": dataclasses.asdict(settings),
            "imported": {},
            "num_classes": 10,
            "class_names": None,
            "input_shape": [32, 32, 3],
            "normalization": {"mean": [0.0] * 3, "std": [1.0] * 3},
        },
    )
    with pytest.raises(ValueError, match="was imported and holds no training to resume; start one"):
        training.train(settings, tmp_path / "run", resume=True)


@pytest.mark.slow
def test_other_settings_are_refused_on_resume(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    training.train(settings, tmp_path / "run")
    other = dataclasses.replace(settings, momentum=0.8, batch_size_test=5)
    with pytest.raises(
        ValueError, match=r"that the run began with, got momentum 0\.8 instead of 0\.9;"
    ):
        training.train(other, tmp_path / "run", resume=True)
    with pytest.raises(
        ValueError, match="`init_from` must be None, as in the run to resume, got elsewhere"
    ):
        training.train(settings, tmp_path / "run", init_from="elsewhere", resume=True)


def test_loss_that_is_not_finite_names_its_step_and_keeps_the_checkpoint(
    settings, monkeypatch, tmp_path
):
    few_digits(monkeypatch)
    # So high a rate makes the weights infinite within a few steps.
    wild = dataclasses.replace(settings, lr=1e38, warm_up=False)
    with pytest.raises(LossNotFinite, match=r"not finite in epoch 1, step [23] of 3\.") as error:
        training.train(wild, tmp_path / "wild")
    assert error.value.exit_code == 3
    assert not list((tmp_path / "wild").glob("*.keras"))
    kept = checkpoints.load_newest(tmp_path / "wild" / "checkpoints")
    assert (kept.epoch, kept.step) == (0, 0)
    # One step only, whose loss is still finite: the weights tell.
    settings = dataclasses.replace(wild, batch_size=24, epochs=1)
    with pytest.raises(LossNotFinite, match=r"not finite in epoch 1, step 1 of 1\."):
        training.train(settings, tmp_path / "one")
    assert not (tmp_path / "one" / "metrics.jsonl").exists()


@pytest.mark.slow
def test_training_begins_later_in_the_schedule(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    settings = dataclasses.replace(settings, start_epoch=1)
    run = training.train(settings, tmp_path / "run")
    assert [(line["epoch"], line["lr"]) for line in run.metrics()] == [
        (1, pytest.approx(0.01 * 2 / 5))
    ]


@pytest.mark.slow
def test_diagnostics_can_be_left_out(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    settings = dataclasses.replace(settings, epochs=1, diagnostics=False)
    line = training.train(settings, tmp_path / "run").metrics()[0]
    assert not {"dead_weights", "layers"} & set(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"precision": "mixed_bfloat16"},
        {"precision": "mixed_float16"},
        {"jit": True},
        {"steps_per_execution": 2},
        {"optimizer": "adam", "lr": 1e-3},
        {"workers": 1},
    ],
    ids=str,
)
def test_ways_of_training_leave_a_float32_network(change, settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    settings = dataclasses.replace(settings, epochs=1, **change)
    run = training.train(settings, tmp_path / "run")
    model = run.load_model("last")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    batches, _ = evaluation.load_evaluation_set(run)
    values = evaluation.evaluate(networks.keras_classifier(model).predict, batches)
    # bfloat16 has eight bits, and flips signs that are near 0.
    tolerance = 0.3 if "precision" in change else 1e-5
    assert values["loss"] == pytest.approx(run.metrics()[0]["val_loss"], rel=tolerance)
    assert tf.keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.slow
def test_mixed_precision_training_is_resumed_with_its_loss_scale(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    settings = dataclasses.replace(settings, precision="mixed_float16")
    whole = training.train(settings, tmp_path / "whole")
    at_step(monkeypatch, 1, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted, match="stopped in epoch 1 after step 2 of 3 and saved"):
        training.train(settings, tmp_path / "parts")
    assert "loss_scale/0" in checkpoints.load_newest(tmp_path / "parts" / "checkpoints").arrays
    parts = training.train(settings, tmp_path / "parts", resume=True)
    assert same_bits(*(run.load_model("last").get_weights() for run in (whole, parts)))


@pytest.mark.slow
def test_teacher_takes_the_labels_place(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    few = data.DATASETS["digits"]

    def read_mislabelled(split, data_path):
        images, labels = few.read(split, data_path)
        return images, 9 - labels

    mislabelled = dataclasses.replace(few, read=read_mislabelled)
    teacher = models.build("resnet20_1w1a", "digits")

    def weights_taught(label, dataset, name):
        teacher.get_layer("linear").set_weights([np.zeros((16, 10)), 50 * np.eye(10)[label]])
        teacher.save(tmp_path / "teacher.keras")
        monkeypatch.setitem(data.DATASETS, "digits", dataset)
        one_epoch = dataclasses.replace(settings, epochs=1, teacher=str(tmp_path / "teacher.keras"))
        return training.train(one_epoch, tmp_path / name).load_model("last").get_weights()

    taught = weights_taught(3, few, "run")
    assert same_bits(taught, weights_taught(3, mislabelled, "mislabelled"))
    assert not same_bits(taught, weights_taught(4, few, "other teacher"))


def test_teacher_of_other_classes_is_refused(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    models.build("resnet20_1w1a", "digits", num_classes=7).save(tmp_path / "teacher.keras")
    settings = dataclasses.replace(settings, teacher=str(tmp_path / "teacher.keras"))
    with pytest.raises(ValueError, match=r"`teacher` must map .* to \(10,\) like the network"):
        training.train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()
