import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, few_digits, tiny_resnet
from interruptions import RaiseSignal
from own_data import CLASSES, make_arrays, make_batches, make_model

from recu_tf import data, runs, training
from recu_tf.settings import Settings
from recu_tf.training.errors import TrainingInterrupted

SETTINGS = Settings(epochs=3, batch_size=8, batch_size_test=4, lr=0.01)
ARRAYS = (make_arrays(18), make_arrays(5, seed=1))


def train(path, *, settings=SETTINGS, model=None, given=ARRAYS, **options):
    model = make_model() if model is None else model
    return training.train(settings, path, model=model, data=given, print_freq=0, **options)


def last_weights(run):
    return run.load_model("last").get_weights()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A training that was not interrupted, and the model that it was given."""
    model = make_model("softmax", kernel_regularizer="l2")
    before = model.get_weights()
    run = train(tmp_path_factory.mktemp("own") / "run", model=model)
    assert_same_arrays(model.get_weights(), before)
    return run, model


def test_model_and_arrays_of_the_caller_leave_a_complete_run(finished):
    run, model = finished
    config = json.loads((run.path / "config.json").read_text())
    assert (config["settings"]["model"], config["settings"]["dataset"]) == ("own", "own")
    assert Settings.of_run(run).epochs == 3
    assert config["input_shape"] == [6, 6, 3]
    assert config["num_classes"] == CLASSES
    assert config["normalization"] is run.normalization is None
    assert run.chosen_on == "validation images"
    lines = run.metrics()
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert lines[0]["tau"] == pytest.approx(0.85)
    assert set(lines[0]["layers"]) == {model.layers[3].name}
    trained = run.load_model("last")
    assert [layer.name for layer in trained.layers] == [layer.name for layer in model.layers]
    # The share of right answers among all validation images, of the softmax itself.
    images, labels = ARRAYS[1]
    right = trained.predict(images.astype("float32"), verbose=0).argmax(axis=1) == labels
    assert lines[-1]["val_accuracy"] == pytest.approx(right.mean())


def test_interrupted_training_on_arrays_resumes_bit_for_bit(finished, tmp_path):
    run, model = finished
    # Three steps an epoch: the fifth is the second of the second epoch.
    with pytest.raises(TrainingInterrupted, match="in epoch 2 after step 2 of 3"):
        train(tmp_path / "run", model=model, callbacks=[RaiseSignal(4)])
    # Another model of the same layers; its weights do not matter, nor do the names of its layers.
    again = make_model("softmax", kernel_regularizer="l2")
    resumed = train(tmp_path / "run", model=again, resume=True)
    assert_same_arrays(last_weights(resumed), last_weights(run))
    assert [line["loss"] for line in resumed.metrics()] == [line["loss"] for line in run.metrics()]


@pytest.mark.slow
def test_interrupted_training_on_batches_resumes_bit_for_bit(tmp_path):
    def give():
        return make_batches(18), make_batches(5, seed=1)

    model = make_model(quantizers={})
    run = train(tmp_path / "whole", model=model, given=give())
    assert "tau" not in run.metrics()[0]
    assert run.metrics()[0]["layers"] == {}
    assert run.config["training_images"] is None
    # Five batches an epoch: the ninth is the fourth of the second epoch.
    with pytest.raises(TrainingInterrupted, match="in epoch 2 after step 4 of 5"):
        train(tmp_path / "run", model=model, given=give(), callbacks=[RaiseSignal(8)])
    resumed = train(tmp_path / "run", model=model, given=give(), resume=True)
    assert_same_arrays(last_weights(resumed), last_weights(run))
    losses = [line["loss"] for line in run.metrics()]
    assert [line["loss"] for line in resumed.metrics()] == losses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": make_model(filters=5)}, "`model` must be built as the one that .* began with"),
        ({"given": (ARRAYS[0], make_arrays(5, seed=2))}, "got other validation images"),
        ({"given": (make_batches(18), ARRAYS[1])}, "`training_images|training images"),
    ],
)
def test_resuming_with_another_model_or_other_images_is_refused(
    finished, tmp_path, change, message
):
    run, model = finished
    before = sorted(path.name for path in run.path.iterdir())
    with pytest.raises(ValueError, match=message):
        train(run.path, resume=True, **{"model": model, **change})
    assert sorted(path.name for path in run.path.iterdir()) == before


def test_resuming_without_model_and_images_is_refused(finished):
    run, _ = finished
    settings = Settings.of_run(run)
    with pytest.raises(ValueError, match=r"`model` must be given, in Python, to recu_tf\.training"):
        training.train(settings, run.path, resume=True)
    with pytest.raises(ValueError, match=r"`data` must be given, in Python, to recu_tf\.training"):
        training.train(settings, run.path, model=make_model(), resume=True)


class StopAfter(tf.keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs, self.kernels = epochs, []

    def on_epoch_end(self, epoch, logs=None):
        self.kernels.append(self.model.network.layers[1].kernel.numpy())
        self.model.stop_training = epoch + 1 == self.epochs


@pytest.mark.slow
def test_callback_that_stops_the_training_leaves_a_run_that_resumes(finished, tmp_path):
    run, model = finished
    callback = StopAfter(2)
    stopped = train(tmp_path / "run", model=model, callbacks=[callback])
    assert [line["epoch"] for line in stopped.metrics()] == [0, 1]
    np.testing.assert_array_equal(last_weights(stopped)[0], callback.kernels[-1])
    best = max(stopped.metrics(), key=lambda line: line["val_accuracy"])["epoch"]
    np.testing.assert_array_equal(
        stopped.load_model("best").get_weights()[0], callback.kernels[best]
    )
    resumed = train(tmp_path / "run", model=model, resume=True)
    assert_same_arrays(last_weights(resumed), last_weights(run))


@pytest.mark.slow
def test_keras_checkpoints_hold_the_network_alone(finished, tmp_path):
    _, model = finished
    whole, weights = (
        tf.keras.callbacks.ModelCheckpoint(str(tmp_path / name), save_weights_only=only_weights)
        for name, only_weights in (("whole.keras", False), ("only.weights.h5", True))
    )
    run = train(
        tmp_path / "run",
        model=model,
        settings=replace(SETTINGS, epochs=1),
        callbacks=[whole, weights],
    )
    assert_same_arrays(
        tf.keras.models.load_model(tmp_path / "whole.keras").get_weights(), last_weights(run)
    )
    copy = tf.keras.models.clone_model(model)
    copy.load_weights(tmp_path / "only.weights.h5")
    assert_same_arrays(copy.get_weights(), last_weights(run))


def test_images_that_cannot_be_used_are_refused_before_any_file_is_written(tmp_path):
    images, labels = ARRAYS[0]
    batches = make_batches(8)
    strange = {
        "`data` must be \\(training, validation\\)": images,
        "images and a label for each": ((images, labels[:3]), ARRAYS[1]),
        "of shape \\(6, 6, 3\\), got training images of shape \\(6, 6, 1\\)": (
            (images[..., :1], labels),
            ARRAYS[1],
        ),
        "labels from 0 to 2, the classes, got training labels from 0 to 5": (
            (images, np.arange(18) % 6),
            ARRAYS[1],
        ),
        "one-hot labels of zeros and a single 1": (ARRAYS[0], (images[:2], np.ones((2, 3)))),
        "integers \\(count,\\) or one-hot": ((images, labels / 2), ARRAYS[1]),
        "must be batches of \\(images, labels\\)": (batches.map(lambda x, y: (x, y, y)), batches),
        "needs .batch\\(n\\)": (batches.unbatch().map(lambda x, y: (x[0, 0], y[None])), batches),
        "repeat for ever; leave out .repeat": (batches.repeat(), batches),
        "known number of validation batches; state it": (
            batches,
            batches.filter(lambda x, y: True),
        ),
        "one-hot labels of 3 classes, got training labels of 2": (
            batches.map(lambda x, y: (x, y[:, :2])),
            batches,
        ),
        "labels from 0 to 2, the classes, got validation labels": (
            batches,
            batches.map(lambda x, y: (x, tf.argmax(y, axis=1) + 2)),
        ),
    }
    for message, given in strange.items():
        with pytest.raises(ValueError, match=message) as caught:
            train(tmp_path / "run", given=given)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_wrong_label_in_a_later_batch_ends_the_training_in_one_line(tmp_path):
    images, labels = make_arrays(8)
    labels[-1] = 7
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    with pytest.raises(ValueError, match=r"^`data` must have labels from 0 to 2, the classes\.$"):
        train(tmp_path / "run", given=(batches, ARRAYS[1]))


def test_wrong_label_among_test_images_is_one_line(tmp_path):
    images, labels = make_arrays(4)
    labels[-1] = 7
    test = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
    settings = replace(SETTINGS, epochs=1, validation_split=1 / 3)
    model = flat_model((6, 6, 3), CLASSES)
    with pytest.raises(ValueError, match=r"^`data` must have labels from 0 to 2, the classes\.$"):
        train(tmp_path / "run", settings=settings, model=model, given=(ARRAYS[0], test))


def keras_model(*layers, **options):
    return tf.keras.Sequential([tf.keras.Input((6, 6, 3), **options), *layers])


def test_models_that_cannot_be_trained_are_refused(tmp_path):
    flatten, dense = tf.keras.layers.Flatten, tf.keras.layers.Dense
    inputs = tf.keras.Input((6, 6, 3))
    strange = {
        "`model` must be a Keras model": 3,
        "`model` must be built": tf.keras.Sequential([dense(3)]),
        "of two classes or more": keras_model(flatten(), dense(1)),
        "logits or probabilities": keras_model(dense(3)),
        "batches of any size": keras_model(flatten(), dense(3), batch_size=2),
        "one input and one output": tf.keras.Model(inputs, [dense(3)(flatten()(inputs))] * 2),
        "activation function sigmoid": keras_model(flatten(), dense(3, "sigmoid")),
        "weights to train": keras_model(tf.keras.layers.GlobalAveragePooling2D()),
        "no Lambda layers": keras_model(tf.keras.layers.Lambda(lambda x: x), flatten(), dense(3)),
    }
    for message, model in strange.items():
        with pytest.raises(ValueError, match=message) as caught:
            train(tmp_path / "run", model=model)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="`precision` must be float32 with `model`"):
        train(tmp_path / "run", settings=Settings(precision="mixed_float16"))
    with pytest.raises(ValueError, match="`network_precision` must be binary with `model`"):
        train(tmp_path / "run", settings=Settings(network_precision="float"))
    with pytest.raises(ValueError, match="`batch_norm_gamma` must be None with `model`, got"):
        train(tmp_path / "run", settings=Settings(batch_norm_gamma=0.5))
    with pytest.raises(ValueError, match="`batch_norm_momentum` must be None with `model`, got"):
        train(tmp_path / "run", settings=Settings(batch_norm_momentum=0.5))
    with pytest.raises(ValueError, match="`callbacks` must be instances"):
        train(tmp_path / "run", callbacks=[print])
    with pytest.raises(ValueError, match="`callbacks` must be a list of callbacks"):
        train(tmp_path / "run", callbacks=tf.keras.callbacks.Callback())
    for names, message in {
        "abc": "must be a list of names",
        ("a", "b", "a"): "must differ",
    }.items():
        with pytest.raises(ValueError, match=f"`class_names` {message}"):
            train(tmp_path / "run", class_names=names)
    with pytest.raises(ValueError, match="`init_from` and `stage1` must be left out with `model`"):
        train(tmp_path / "run", init_from=tmp_path)
    assert not (tmp_path / "run").exists()


def flat_model(shape, classes, scale=1.0):
    layers = tf.keras.layers.Rescaling(scale), tf.keras.layers.Flatten()
    return tf.keras.Sequential([tf.keras.Input(shape), *layers, tf.keras.layers.Dense(classes)])


def test_model_of_the_caller_learns_a_named_data_set(monkeypatch, tmp_path):
    few_digits(monkeypatch)
    settings = Settings(dataset="digits", epochs=1, batch_size=12)
    run = training.train(settings, tmp_path / "run", model=flat_model((32, 32, 3), 10))
    assert run.config["settings"]["model"] == "own"
    assert run.config["normalization"]["mean"] == (0.305,) * 3
    assert run.chosen_on == "test images"
    strange = {
        r"the images of digits, \(32, 32, 3\), got one that takes \(16,": flat_model(
            (16, 16, 3), 10
        ),
        "`model` must be a network for the 10 classes of digits": flat_model((32, 32, 3), 3),
        "it has a layer that scales pixels": flat_model((32, 32, 3), 10, scale=1 / 255),
    }
    for message, model in strange.items():
        with pytest.raises(ValueError, match=message):
            training.train(settings, tmp_path / "other", model=model)


def test_published_network_learns_images_of_the_caller(monkeypatch, tmp_path):
    few_digits(monkeypatch, build=tiny_resnet)
    settings = Settings(model="resnet20_1w1a", epochs=1, batch_size=8)
    scale = data.Normalization((0.5,) * 3, (0.25,) * 3)
    given = (make_batches(8), make_batches(4))
    run = training.train(
        settings, tmp_path / "run", data=given, class_names=["a", "b", "c"], normalization=scale
    )
    assert run.config["settings"]["model"] == "resnet20_1w1a"
    assert run.config["class_names"] == ("a", "b", "c")
    assert runs.Run.open(run.path).normalization == scale
    assert run.load_model().output_shape == (None, 3)
    other = Settings(model="resnet34_1w1a", dataset="imagenet")
    with pytest.raises(ValueError, match=r"`model` must be one of .* for own images of 6x6, got"):
        training.train(other, tmp_path / "other", data=given)


def test_held_out_images_of_the_caller_choose_the_epoch_and_others_test_it(tmp_path):
    settings = Settings(epochs=2, batch_size=8, validation_split=1 / 3)
    run = train(tmp_path / "run", settings=settings, model=flat_model((6, 6, 3), CLASSES))
    assert run.chosen_on == "held-out training images"
    assert run.config["training_images"] == 12
    assert run.config["own"]["images"]["validation"]["images"] == [6, 6, 6, 3]
    test = runs.Run.open(run.path).config["test"]
    images, labels = ARRAYS[1]
    right = run.load_model("best").predict(images.astype("float32")).argmax(axis=1) == labels
    assert test["top_1"] == pytest.approx(right.mean())
    assert test["images"] == 5
    with pytest.raises(ValueError, match="`validation_split` must be 0 for batches of your own"):
        train(tmp_path / "other", settings=settings, given=(make_batches(8), make_batches(4)))
