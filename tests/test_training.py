import json

import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits
from tensorflow.python.summary.summary_iterator import summary_iterator

from recu_tf import classifiers, data, evaluation, runs, training


@pytest.fixture
def settings():
    return training.Settings(epochs=2, batch_size=10, batch_size_test=4, lr=0.01)


def test_training_leaves_a_whole_run_directory(settings, monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch)
    run = training.train(settings, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "tau: 0.85" in printed

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

    tags = {
        value.tag
        for file in (run.path / "logs").rglob("*tfevents*")
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {"epoch_loss", "epoch_lr", "epoch_tau"} <= tags

    optimizer = tf.keras.models.load_model(run.model_path("last")).optimizer
    assert type(optimizer).__module__ == "recu_tf.optimizers"
    assert (optimizer.momentum, optimizer.l2) == (0.9, 5e-4)
    assert float(optimizer.learning_rate) == pytest.approx(lines[1]["lr"])

    # Evaluated anew, the last model gives the validation of the last epoch.
    batches, count = evaluation.evaluation_set(run)
    assert count == 10
    last, best = (
        evaluation.evaluate(classifiers.keras_classifier(run.load_model(which)).predict, batches)
        for which in ("last", "best")
    )
    assert last["images"] == 10
    assert last["top_1"] == pytest.approx(lines[1]["val_accuracy"])
    assert last["loss"] == pytest.approx(lines[1]["val_loss"], rel=1e-5)
    assert best["top_1"] == pytest.approx(max(line["val_accuracy"] for line in lines))


def test_best_model_is_that_of_its_epoch_though_written_later(tmp_path):
    network = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    config = {"input_shape": [1], "num_classes": 1}
    keep = training._Keep(runs.Run.create(tmp_path / "run", config))
    keep.set_model(network)
    keep.set_params({"epochs": 4})
    files = []
    for epoch, accuracy in enumerate((0.1, 0.9, 0.5, 0.9)):
        keep.on_epoch_begin(epoch)
        network.layers[0].kernel.assign([[float(epoch)]])
        keep.next_write = 0.0 if epoch == 0 else np.inf  # as if epochs took no time
        keep.on_epoch_end(epoch, {"val_accuracy": accuracy})
        files.append([keep.run.load_model(w).get_weights()[0].item() for w in runs.WHICH])
    # Best and last: written with the first epoch, then with the final one.
    assert files == [[0, 0], [0, 0], [0, 0], [1, 3]]
    assert [line["epoch"] for line in keep.run.metrics()] == [0, 1, 2, 3]


def test_training_follows_the_seed(settings, monkeypatch, tmp_path):
    few_digits(monkeypatch)
    one_epoch = {"epochs": 1, "batch_size": 12, "lr": 0.01}
    weights = [
        training.train(training.Settings(**one_epoch, seed=seed), tmp_path / str(number))
        .load_model("last")
        .get_layer("linear")
        .get_weights()[0]
        for number, seed in enumerate((0, 0, 1))
    ]
    # Sums of floats on several threads may differ in their last bits, and through flipped signs
    # a little more than that.
    assert np.abs(weights[0] - weights[1]).max() < 0.1 * np.abs(weights[0] - weights[2]).max()


def test_occupied_directory_is_refused_before_anything_is_read(settings, monkeypatch, tmp_path):
    runs.Run.create(tmp_path / "run", {})
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("data was read"))
    with pytest.raises(FileExistsError, match="already holds a run"):
        training.train(settings, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "resnet"}, "`model` must be one of resnet20_1w1a, .* got 'resnet'"),
        ({"dataset": "mnist"}, r"`dataset` must be one of digits, .* got 'mnist'"),
        ({"epochs": 0}, "`epochs` must be at least 1, got 0"),
        ({"batch_size": -1}, "`batch_size` must be at least 1, got -1"),
        ({"batch_size_test": 0}, "`batch_size_test` must be at least 1, got 0"),
        ({"lr": 0.0}, "`lr` must be a finite number above 0, got 0.0"),
        ({"lr": float("inf")}, "`lr` must be a finite number above 0, got inf"),
        ({"momentum": 1.0}, r"`momentum` must be a number in \[0, 1\), got 1.0"),
        ({"weight_decay": -1e-4}, "`weight_decay` must be a finite number from 0, got -0.0001"),
        ({"lr_type": "poly"}, "`lr_type` must be one of cos, step, linear, got 'poly'"),
        ({"lr_type": "step"}, "`lr_decay_step` must name at least one epoch"),
        ({"lr_type": "step", "lr_decay_step": (0,)}, "`lr_decay_step` must be epochs from 1"),
        ({"lr_decay_step": (5,)}, "`lr_decay_step` must be empty unless `lr_type` is step"),
        ({"tau_min": 0.4}, r"`tau_min` must lie in \(0.5, 1\], got 0.4"),
        ({"tau_max": 0.8}, "`tau_min` must not exceed `tau_max`"),
        ({"seed": -1}, r"`seed` must lie in 0 ... 2\^31 - 1, got -1"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        training.Settings(**change)


@pytest.mark.parametrize("kept", [None, [], {"dataset": "digits"}])
def test_incomplete_settings_of_a_run_are_refused(kept, tmp_path):
    run = runs.Run(tmp_path, {"settings": kept})
    with pytest.raises(ValueError, match=r"`settings` in .*config\.json: "):
        training.Settings.of_run(run)


@pytest.mark.parametrize(
    "change", [{"dataset": [1]}, {"batch_size_test": "x"}, {"batch_size_test": 0}, {"new": 1}]
)
def test_damaged_settings_of_a_run_are_refused(change, tmp_path):
    kept = {**vars(training.Settings()), **change}
    with pytest.raises(ValueError, match=r"`settings` in .*config\.json: "):
        training.Settings.of_run(runs.Run(tmp_path, {"settings": kept}))
