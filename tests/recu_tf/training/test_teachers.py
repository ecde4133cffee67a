import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from complaints import complaint
from conftest import assert_same_arrays, few_digits, need, tiny_resnet
from interruptions import RaiseSignal

from recu_tf import networks, runs, training
from recu_tf.data import DATASETS
from recu_tf.pixel_scaling import make_identity_normalization
from recu_tf.precision import use_precision
from recu_tf.runs import checkpoints
from recu_tf.settings import Settings
from recu_tf.training.errors import TrainingInterrupted
from recu_tf.training.setup import prepare
from recu_tf.training.step import Learner
from recu_tf.training.teachers import Teacher, load_teacher

DIGITS = DATASETS["digits"].normalization
PIXELS = make_identity_normalization(3)
FEATURES = ("layer1.0.hard_tanh1=maps", "conv1=maps")


@pytest.fixture(autouse=True)
def _digits(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)


def build_teacher(size=32, classes=10, channels=3, scale=1 / 127.5, activation="softmax"):
    """With its own normalisation, and with layers that training would change or let drop."""
    layers = tf.keras.layers
    images = tf.keras.Input((size, size, channels))
    seen = layers.Rescaling(scale, -1.0, name="seen")(images)
    maps = layers.Conv2D(4, 3, padding="same", activation="relu", name="maps")(seen)
    outputs = layers.Dropout(0.5)(layers.BatchNormalization(name="norm")(maps))
    outputs = layers.Dense(classes)(layers.GlobalAveragePooling2D()(outputs))
    return tf.keras.Model(images, layers.Activation(activation)(outputs))


@pytest.fixture
def teacher_path(tmp_path):
    build_teacher().save(tmp_path / "teacher.keras")
    return str(tmp_path / "teacher.keras")


@pytest.fixture
def taught(settings, teacher_path):
    """Settings that use all that can be learned from a teacher."""
    return dataclasses.replace(
        settings,
        epochs=2,
        diagnostics=False,
        teacher=teacher_path,
        distill_weight=0.75,
        temperature=2.0,
        distill_features=FEATURES,
        distill_features_weight=3.0,
    )


def read_weights(run):
    return run.load_model("last").get_weights()


def read_batch(prepared):
    return next(iter(prepared.batches()))


def test_teacher_is_frozen_and_no_part_of_what_trains(taught):
    learner = prepare(taught).learner
    teacher = learner.teacher.model
    owned = {variable.ref() for variable in teacher.weights}
    assert len(owned) > 4
    assert teacher.trainable_variables == []
    kept = [*learner.weights, *learner.trainable_variables, *learner.optimizer.variables]
    assert not owned & {variable.ref() for variable in kept}
    # Schedules and diagnostics look for layers there.
    assert not set(map(id, teacher.layers)) & set(map(id, learner.submodules))


def test_teacher_is_unchanged_by_a_training_and_not_saved(taught, monkeypatch, tmp_path):
    prepared = []

    def keep(*arguments, **options):
        prepared.append(prepare(*arguments, **options))
        return prepared[-1]

    monkeypatch.setattr(training.loop, "prepare", keep)
    before = build_teacher()
    before.load_weights(taught.teacher)
    run = training.train(taught, tmp_path / "run")
    learner = prepared[0].learner
    assert_same_arrays(learner.teacher.model.get_weights(), before.get_weights())
    assert len(read_weights(run)) == len(learner.network.weights)
    saved = checkpoints.load_newest(run.path / "checkpoints").arrays
    shapes = [value.shape for name, value in saved.items() if name.startswith("network/")]
    assert shapes == [tuple(weight.shape) for weight in learner.network.weights]
    of_teacher = {value.tobytes() for value in before.get_weights()}
    # The batch norm's initial values are in every network.
    of_teacher -= {value.tobytes() for value in before.get_layer("norm").get_weights()}
    of_teacher -= {before.layers[-2].get_weights()[1].tobytes()}
    of_teacher -= {before.get_layer("maps").get_weights()[1].tobytes()}
    assert not of_teacher & {value.tobytes() for value in saved.values()}
    assert run.config["settings"]["teacher"] == taught.teacher
    assert Settings.of_run(runs.Run.open(run.path)) == taught


class Recording(tf.keras.Model):
    """A network that keeps what it receives."""

    def __init__(self):
        super().__init__()
        self.dense = tf.keras.layers.Dense(10)

    def call(self, images, training=False):
        self.images = images
        return self.dense(tf.reduce_mean(images, axis=(1, 2)))


@pytest.mark.parametrize("size", [32, 20, None])
def test_teacher_sees_the_same_augmented_images_in_its_own_way(size, settings, tmp_path):
    path = str(tmp_path / "teacher.keras")
    build_teacher(size).save(path)
    prepared = prepare(dataclasses.replace(settings, teacher=path))
    teacher = prepared.learner.teacher
    seen = []
    teacher = Teacher(teacher.model, adapt=teacher.adapt, map_names=["seen"])

    def watch(images):
        logits, maps = teacher(images)
        seen.append(maps[0])
        return logits, maps

    network = Recording()
    learner = Learner(network)
    learner.teacher = watch
    learner.compile("sgd", run_eagerly=True)
    images, labels = read_batch(prepared)
    assert not np.array_equal(images, read_batch(prepare(dataclasses.replace(settings, seed=1)))[0])
    learner.train_step((images, labels))
    assert network.images is images
    pixels = 255 * (images.numpy() * DIGITS.std + DIGITS.mean)
    if size == 20:
        pixels = tf.image.resize(pixels, (20, 20), antialias=True).numpy()
    # float32 of numbers up to 255
    np.testing.assert_allclose(seen[0], pixels / 127.5 - 1, rtol=0, atol=1e-5)


def test_teacher_runs_in_inference_mode(taught):
    learner = prepare(taught).learner
    images = tf.random.normal((4, 32, 32, 3))
    probabilities = learner.teacher.model(learner.teacher.adapt(images), training=False)
    for _ in range(2):
        logits, _ = learner.teacher(images)
        np.testing.assert_allclose(tf.nn.softmax(logits), probabilities, rtol=1e-5)
    trained = learner.teacher.model(learner.teacher.adapt(images), training=True)
    assert np.abs(trained - probabilities).max() > 1e-3  # the dropout


def test_loss_is_that_of_the_settings(taught):
    learner = prepare(taught).learner
    learner.compile("sgd", run_eagerly=True)
    learner.optimizer.learning_rate = 0.0
    images, labels = read_batch(prepare(taught))
    values = learner.train_on_batch(images, labels, return_dict=True)
    logits = learner.network(images, training=True)
    taught_logits, _ = learner.teacher(images)
    hard = tf.keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    soft = tf.keras.losses.categorical_crossentropy(
        tf.nn.softmax(taught_logits / 2), logits / 2, from_logits=True
    )

    def look(maps):
        squares = (maps.numpy() ** 2).mean(axis=3).reshape(len(maps), -1)
        return squares / squares.max(axis=1, keepdims=True)

    names = ("layer1.0.hard_tanh1", "conv1")
    outputs = [learner.network.get_layer(name).output for name in names]
    own = tf.keras.Model(learner.network.input, outputs)(images, training=True)
    model = learner.teacher.model
    teachers = tf.keras.Model(model.input, model.get_layer("maps").output)
    teachers = look(teachers(learner.teacher.adapt(images)))
    compared = np.mean([((look(maps) - teachers) ** 2).mean(axis=1) for maps in own], axis=0)
    expected = 0.25 * hard + 0.75 * 4 * soft + 3 * compared
    assert values["loss"] == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)


@pytest.mark.slow
def test_killed_training_with_a_teacher_resumes_bit_for_bit(taught, tmp_path):
    whole = training.train(taught, tmp_path / "whole")
    with pytest.raises(TrainingInterrupted, match="stopped in epoch 2 after step 2 of 3"):
        training.train(taught, tmp_path / "run", callbacks=[RaiseSignal(4)])
    resumed = training.train(taught, tmp_path / "run", resume=True)
    assert_same_arrays(read_weights(resumed), read_weights(whole))
    with pytest.raises(ValueError, match=r"temperature 1\.0 instead of 2\.0"):
        training.train(dataclasses.replace(taught, temperature=1.0), tmp_path / "run", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "size"),
    [
        # With 20 pixels images are resized, with 32 maps are compared. The copies of a mirrored
        # network resize as the single one does.
        *(({"precision": "mixed_float16"}, size) for size in (20, 32)),
        *(({"jit": True, "steps_per_execution": 2}, size) for size in (20, 32)),
        ({"strategy": "mirrored", "sync_batch_norm": True}, 32),
    ],
    ids=str,
)
def test_teachers_in_every_way_of_training(change, size, taught, tmp_path):
    build_teacher(size).save(taught.teacher)
    features = () if size == 20 else FEATURES
    run = training.train(
        dataclasses.replace(taught, epochs=1, distill_features=features, **change),
        tmp_path / "run",
    )
    assert np.isfinite(run.metrics()[0]["loss"])
    assert run.load_model("last").dtype_policy.name == "float32"


@pytest.mark.slow
def test_loss_with_a_teacher_does_not_depend_on_the_number_of_devices(taught):
    losses = []
    for strategy in ("single", "mirrored"):
        change = {"strategy": strategy, "precision": "float64", "sync_batch_norm": True}
        prepared = prepare(dataclasses.replace(taught, **change))
        step, batches = prepared.learner.make_train_function(), iter(prepared.batches())
        losses.append([float(step(batches)["loss"]) for _ in range(3)])
    # float64 but for the teacher, in float32
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_teacher_of_a_file_that_says_nothing_of_its_images_gets_the_same(settings, tmp_path):
    path = str(tmp_path / "teacher.keras")
    tiny_resnet((32, 32, 3), 10).save(path)
    network = tiny_resnet((32, 32, 3), 10)
    settings = dataclasses.replace(settings, teacher=path)
    assert load_teacher(settings, network, DIGITS).adapt is None
    assert load_teacher(settings, network, None).adapt is None
    build_teacher().save(path)
    with pytest.raises(ValueError, match="needs images whose normalisation is known"):
        load_teacher(settings, network, None)
    assert load_teacher(settings, network, PIXELS).adapt is None


def test_checkpoint_is_read_without_the_name_of_images_of_the_caller(
    settings, teacher_path, monkeypatch
):
    given = []

    def load(path, dataset):
        given.append(dataset)
        raise ValueError("stop")

    monkeypatch.setattr(networks, "load", load)
    for dataset in ("digits", "own"):
        named = dataclasses.replace(settings, dataset=dataset, teacher=teacher_path)
        with pytest.raises(ValueError, match="`teacher`: stop"):
            load_teacher(named, tiny_resnet((32, 32, 3), 10), DIGITS)
    assert given == ["digits", None]


@pytest.mark.slow
def test_saved_model_without_layers_that_ends_with_a_softmax_is_seen(settings, tmp_path):
    network = tiny_resnet((32, 32, 3), 10)
    images = tf.random.normal((4, 32, 32, 3))
    for activation in ("softmax", "linear"):
        model = build_teacher(activation=activation)
        path = str(tmp_path / activation)
        model.export(path)
        with use_precision("mixed_float16"):
            teacher = load_teacher(dataclasses.replace(settings, teacher=path), network, DIGITS)
        assert teacher.probabilities == (activation == "softmax")
        expected = model(images)
        logits, _ = tf.function(teacher)(images)
        got = tf.nn.softmax(logits) if activation == "softmax" else logits
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_network_of_larq_zoo_teaches_with_its_own_quantizers(settings, tmp_path):
    package = need("larq_zoo")
    published = package.sota.QuickNetSmall(weights=None, num_classes=10)
    published.save_weights(tmp_path / "weights.h5")
    settings = dataclasses.replace(
        settings, teacher="zoo/QuickNetSmall", teacher_weights=str(tmp_path / "weights.h5")
    )
    teacher = load_teacher(settings, tiny_resnet((32, 32, 3), 10), DIGITS)
    pixels = tf.random.uniform((2, 32, 32, 3), 0, 255)
    resized = tf.image.resize(pixels, (224, 224))
    images = DATASETS["imagenet"].normalization(resized)
    np.testing.assert_allclose(teacher.adapt(DIGITS(pixels)), images, rtol=0, atol=1e-4)
    logits, _ = teacher(DIGITS(pixels))
    # Signs of what is nearly 0 flip with the rounding of the images.
    np.testing.assert_allclose(tf.nn.softmax(logits), published(images), rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 7}, "`teacher` must have 10 classes like the network, got 7."),
        ({"channels": 1}, "must take images with 3 channels like the network, got one for 1."),
    ],
    ids=str,
)
def test_teachers_that_do_not_fit_are_refused_in_one_line(options, message, capsys, tmp_path):
    build_teacher(**options).save(tmp_path / "teacher.keras")
    error = complaint(capsys, *command(tmp_path, "--teacher", tmp_path / "teacher.keras"))
    assert message in error
    assert not (tmp_path / "results").exists()


def command(tmp_path, *arguments):
    network = ("--dataset", "digits", "-a", "resnet20_1w1a")
    return ("train", *network, "--results_dir", tmp_path / "results", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--temperature 2", "`temperature` needs a `teacher`, got 2.0 without one."),
        ("--distill_weight 0.5", "`distill_weight` needs a `teacher`"),
        ("--distill-features conv1", "`distill_features` needs a `teacher`"),
        ("--distill_features_weight 3", "`distill_features_weight` needs a `teacher`"),
        ("--teacher_weights a.h5", "`teacher_weights` needs a `teacher`"),
        (
            "--teacher T --temperature 0",
            "`temperature` must be a finite number from 0.01, got 0.0.",
        ),
        ("--teacher T --distill_weight 1.5", "`distill_weight` must be a number from 0 to 1"),
        ("--teacher T --distill_features_weight -1", "must be a finite number from 0, got -1.0."),
        ("--teacher T --distill_features a=", "must be NAME or NAME=TEACHER_NAME, got 'a='."),
        ("--teacher T --teacher_weights a.h5", "is for a `teacher` that is a name"),
        ("--teacher resnet34", "networks of torchvision are not downloaded here."),
        ("--teacher ResNet51", "of larq-zoo, such as ResNet50 or"),
        ("--teacher zoo/QuickNetTiny", "of larq-zoo, such as zoo/QuickNet"),
        (
            "--teacher zoo/QuickNet",
            "for 1000 classes, the network has 10: weights for 10 classes can be",
        ),
        (
            "--teacher zoo/QuickNet --teacher_weights a.keras",
            "a .h5 file that exists, got 'a.keras'.",
        ),
        (
            "--teacher ResNet50 --teacher_weights a.h5",
            "a .h5 or .keras file that exists, got 'a.h5'.",
        ),
        ("--teacher ResNet50", "published weights for 1000 classes, the network has 10: bring"),
        ("--teacher T --distill_features linear", "layers of the network that give maps"),
        ("--teacher T --distill_features conv1=norm1", "of the teacher .*: seen, maps, norm"),
    ],
)
def test_mistakes_are_refused_in_one_line(arguments, message, teacher_path, capsys, tmp_path):
    words = [teacher_path if word == "T" else word for word in arguments.split()]
    error = complaint(capsys, *command(tmp_path, *words))
    for part in message.split(".*"):
        assert part in error
    assert not (tmp_path / "results").exists()
