import dataclasses
import json
import signal

import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, few_digits, tiny_resnet
from interruptions import RaiseSignal
from tensorflow.python.summary.summary_iterator import summary_iterator

from recu_tf import data, evaluation, models, networks, runs, training
from recu_tf.latent_weights import get_latent
from recu_tf.runs import checkpoints
from recu_tf.training.errors import LossNotFinite, TrainingInterrupted


@pytest.fixture(autouse=True)
def _digits(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)


def assert_same_bits(run, other, which="last"):
    models_of_both = (trained.load_model(which) for trained in (run, other))
    assert_same_arrays(*(model.get_weights() for model in models_of_both))


def has_same_bits(run, other):
    weights, others = (trained.load_model("last").get_weights() for trained in (run, other))
    return all(np.array_equal(weight, value) for weight, value in zip(weights, others, strict=True))


def evaluate(run, which):
    batches, count = evaluation.load_evaluation_set(run)
    assert count == 10
    return evaluation.evaluate(
        networks.make_keras_classifier(run.load_model(which)).predict, batches
    )


def test_training_leaves_a_complete_run_directory(finished_training):
    run, printed = finished_training
    assert "Epoch 4/4" in printed
    assert "  tau 0.85  " in printed

    config = json.loads((run.path / "config.json").read_text())
    assert config["settings"]["batch_size"] == 10
    assert config["input_shape"] == [32, 32, 3]
    assert config["class_names"] == list("0123456789")
    assert config["normalization"]["mean"] == [0.305] * 3

    lines = run.metrics()
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert lines[0]["lr"] == pytest.approx(0.01 / 5)
    assert lines[0]["tau"] == pytest.approx(0.85)
    assert lines[1]["tau"] > 0.85
    assert set(lines[0]) >= {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert 0 < lines[0]["dead_weights"] < 1
    assert set(lines[0]["layers"]) == {"layer1.0.conv1", "layer1.0.conv2"}

    tags = {
        value.tag
        for file in (run.path / "logs").rglob("*tfevents*")
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    assert {"epoch_loss", "epoch_lr", "epoch_tau", "epoch_dead_weights"} <= tags

    # Evaluated again, the last model gives the validation of the last epoch.
    last, best = (evaluate(run, which) for which in ("last", "best"))
    assert last["images"] == 10
    assert last["top_1"] == pytest.approx(lines[-1]["val_accuracy"])
    assert last["loss"] == pytest.approx(lines[-1]["val_loss"], rel=1e-5)
    assert best["top_1"] == pytest.approx(max(line["val_accuracy"] for line in lines))


def test_occupied_directory_is_refused_before_anything_is_read(settings, monkeypatch, tmp_path):
    runs.Run.create(tmp_path / "run", {})
    monkeypatch.setattr(data, "load_training_set", lambda *_, **__: pytest.fail("data was read"))
    with pytest.raises(FileExistsError, match="already holds a run"):
        training.train(settings, tmp_path / "run")


def test_interrupted_training_resumes_as_if_nothing_had_happened(
    settings, finished_training, tmp_path
):
    # An epoch has three steps. A signal in the fourth step stops the training after the fifth; one
    # three steps later only after the evaluation, because the ninth is the last of its epoch.
    for steps, where in ((4, "in epoch 2 after step 2 of 3"), (3, "after epoch 3")):
        message = f"^SIGTERM: stopped {where} and saved$"
        with pytest.raises(TrainingInterrupted, match=message) as caught:
            training.train(settings, tmp_path / "run", resume=True, callbacks=[RaiseSignal(steps)])
        assert caught.value.exit_code == 128 + signal.SIGTERM
    run = training.train(settings, tmp_path / "run", resume=True)
    whole = finished_training.run
    for which in runs.WHICH:
        assert_same_bits(run, whole, which)
    lines, expected = (
        [{**line, "seconds": 0} for line in trained.metrics()] for trained in (run, whole)
    )
    assert lines == expected
    newest, expected = (
        checkpoints.load_newest(trained.path / "checkpoints").arrays for trained in (run, whole)
    )
    assert newest.keys() == expected.keys()
    assert all(np.array_equal(value, expected[name]) for name, value in newest.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"lr_type": "one_cycle", "input_quantizer": "standardized_ste_sign"},
        {"lr_type": "one_cycle_quadratic", "optimizer": "muon", "nesterov": True},
    ],
    ids=str,
)
def test_rate_of_each_step_goes_on_where_a_training_was_interrupted(change, settings, tmp_path):
    settings = dataclasses.replace(settings, warm_up=False, **change)
    whole = training.train(settings, tmp_path / "whole")
    with pytest.raises(TrainingInterrupted, match="in epoch 2 after step 2 of 3"):
        training.train(settings, tmp_path / "run", callbacks=[RaiseSignal(4)])
    run = training.train(settings, tmp_path / "run", resume=True)
    for which in runs.WHICH:
        assert_same_bits(run, whole, which)
    variant = models.get_variant(run.load_model("last"))
    assert variant["input_quantizer"] == settings.input_quantizer


def test_muon_keeps_the_size_of_binary_filters_alone(settings, tmp_path):
    settings = dataclasses.replace(settings, epochs=1, optimizer="muon")
    network = training.train(settings, tmp_path / "run").load_model("last")
    sizes = {
        layer.name: np.mean(get_latent(layer.kernel).numpy() ** 2, axis=(0, 1, 2))
        for layer in network.layers
        if isinstance(layer, tf.keras.layers.Conv2D)
    }
    stem = sizes.pop("conv1")
    assert sizes
    for filters in sizes.values():
        np.testing.assert_allclose(filters, 1, rtol=1e-5)  # float32
    assert abs(stem - 1).max() > 0.1


def test_muon_needs_kernels_with_recu(settings, tmp_path):
    inputs = tf.keras.Input((8, 8, 3))
    outputs = tf.keras.layers.Dense(2)(tf.keras.layers.Flatten()(inputs))
    model = tf.keras.Model(inputs, outputs)
    settings = dataclasses.replace(settings, optimizer="muon", model="own", dataset="own")
    images = np.zeros((4, 8, 8, 3), np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="`optimizer` muon needs kernels with ReCU, got a `model`"):
        training.train(settings, tmp_path / "run", model=model, data=(images, images))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_training_follows_the_seed(settings, finished_training, tmp_path):
    other = training.train(dataclasses.replace(settings, seed=1), tmp_path / "other")
    assert not has_same_bits(other, finished_training.run)


def test_finished_training_is_not_trained_again(settings, finished_copy, capsys):
    model = finished_copy.model_path("last").read_bytes()
    lines = finished_copy.metrics()
    capsys.readouterr()
    again = training.train(settings, finished_copy.path, resume=True)
    assert "Epoch" not in capsys.readouterr().out
    assert again.metrics() == lines
    assert finished_copy.model_path("last").read_bytes() == model


@pytest.mark.slow
def test_truncated_checkpoint_falls_back_to_the_one_before(
    settings, finished_training, finished_copy
):
    older, newest = sorted((finished_copy.path / "checkpoints").glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged and was skipped"):
        training.train(settings, finished_copy.path, resume=True)
    assert sorted((finished_copy.path / "checkpoints").glob("*.npz")) == [older, newest]
    assert_same_bits(finished_copy, finished_training.run)


def test_lost_checkpoints_and_changed_images_are_refused(settings, finished_copy, monkeypatch):
    few_digits(monkeypatch, train=20, build=tiny_resnet)
    with pytest.raises(ValueError, match="training_images were 24, got 20"):
        training.train(settings, finished_copy.path, resume=True)
    for path in (finished_copy.path / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="no checkpoint to resume from, although it was trained"):
        training.train(settings, finished_copy.path, resume=True)
    assert len(finished_copy.metrics()) == 4


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
    message = r"was imported and holds no training to resume; start one from it with --init-from "
    with pytest.raises(ValueError, match=message):
        training.train(settings, tmp_path / "run", resume=True)


def test_other_settings_are_refused_on_resume(settings, finished_copy):
    other = dataclasses.replace(settings, momentum=0.8, batch_size_test=5)
    message = r"that the run began with, got momentum 0\.8 instead of 0\.9; only epochs, .* change"
    with pytest.raises(ValueError, match=message):
        training.train(other, finished_copy.path, resume=True)
    message = "`init_from` must be None, as in the run to resume, got elsewhere"
    with pytest.raises(ValueError, match=message):
        training.train(settings, finished_copy.path, init_from="elsewhere", resume=True)


def test_weights_that_are_not_finite_after_a_finite_loss_end_the_training(settings, tmp_path):
    # So high a rate makes the weights infinite. The loss of the only step is from before that.
    settings = dataclasses.replace(settings, lr=1e38, warm_up=False, batch_size=24, epochs=1)
    message = r"The loss on the test images is not finite in epoch 1, step 1 of 1\."
    with pytest.raises(LossNotFinite, match=message) as caught:
        training.train(settings, tmp_path / "run")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.slow
def test_training_begins_later_in_the_schedule_and_without_diagnostics(settings, tmp_path):
    settings = dataclasses.replace(settings, epochs=2, start_epoch=1, diagnostics=False)
    (line,) = training.train(settings, tmp_path / "run").metrics()
    assert (line["epoch"], line["lr"]) == (1, pytest.approx(0.01 * 2 / 5))
    assert not {"dead_weights", "layers"} & set(line)


def assert_float32_network(run, tolerance):
    """The network that was saved is in float32 and has the loss of the last validation."""
    assert {layer.compute_dtype for layer in run.load_model("last").layers} == {"float32"}
    loss = run.metrics()[-1]["val_loss"]
    assert evaluate(run, "last")["loss"] == pytest.approx(loss, rel=tolerance)
    assert tf.keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        # bfloat16 has eight bits, and flips signs that are near 0.
        ({"precision": "mixed_bfloat16"}, 0.3),
        ({"jit": True, "steps_per_execution": 2}, 1e-5),
        ({"optimizer": "adam", "lr": 1e-3, "workers": 1}, 1e-5),
        ({"optimizer": "muon", "kernel_lr_factor": 1.0, "jit": True}, 1e-5),
    ],
    ids=str,
)
def test_ways_of_training_leave_a_float32_network(change, tolerance, settings, tmp_path):
    settings = dataclasses.replace(settings, epochs=1, **change)
    assert_float32_network(training.train(settings, tmp_path / "run"), tolerance)


@pytest.mark.slow
def test_mixed_precision_training_is_resumed_with_its_loss_scale(settings, tmp_path):
    settings = dataclasses.replace(settings, epochs=1, precision="mixed_float16")
    whole = training.train(settings, tmp_path / "whole")
    # float16 has eleven bits, and flips signs that are near 0.
    assert_float32_network(whole, 0.3)
    message = "stopped in epoch 1 after step 2 of 3 and saved"
    with pytest.raises(TrainingInterrupted, match=message):
        training.train(settings, tmp_path / "run", callbacks=[RaiseSignal(1)])
    assert "loss_scale/0" in checkpoints.load_newest(tmp_path / "run" / "checkpoints").arrays
    assert_same_bits(training.train(settings, tmp_path / "run", resume=True), whole)


@pytest.mark.slow
def test_teacher_replaces_the_labels(settings, monkeypatch, tmp_path):
    few = data.DATASETS["digits"]

    def read_mislabelled(split, data_path):
        images, labels = few.read(split, data_path)
        return images, 9 - labels

    mislabelled = dataclasses.replace(few, read=read_mislabelled)
    teacher = models.build("resnet20_1w1a", "digits")
    one_epoch = dataclasses.replace(
        settings, epochs=1, diagnostics=False, teacher=str(tmp_path / "teacher.keras")
    )

    def train_with_teacher(label, dataset, name):
        teacher.get_layer("linear").set_weights([np.zeros((8, 10)), 50 * np.eye(10)[label]])
        teacher.save(tmp_path / "teacher.keras")
        monkeypatch.setitem(data.DATASETS, "digits", dataset)
        return training.train(one_epoch, tmp_path / name)

    taught = train_with_teacher(3, few, "run")
    assert_same_bits(taught, train_with_teacher(3, mislabelled, "mislabelled"))
    assert not has_same_bits(taught, train_with_teacher(4, few, "other teacher"))


def test_teacher_of_other_classes_is_refused(settings, tmp_path):
    models.build("resnet20_1w1a", "digits", num_classes=7).save(tmp_path / "teacher.keras")
    settings = dataclasses.replace(settings, teacher=str(tmp_path / "teacher.keras"))
    with pytest.raises(ValueError, match="`teacher` must have 10 classes like the network, got 7"):
        training.train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()
