import numpy as np
import pytest
import tensorflow as tf
from conftest import compile_classifier

from recu_tf import evaluation, networks


def batches(images, labels, size=4):
    return tf.data.Dataset.from_tensor_slices((images, np.int64(labels))).batch(size)


def evaluate_outputs(outputs, labels):
    """Evaluates a network whose outputs are its images."""
    return evaluation.evaluate(lambda images: images, batches(outputs, labels))


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return rng.normal(size=(10, 7)).astype("float32"), rng.integers(0, 7, 10)


def test_metrics_are_those_of_keras(logits):
    """With a smaller last batch, against metrics that are fed all at once."""
    outputs, labels = logits
    values = evaluate_outputs(outputs, labels)
    assert values["images"] == 10
    assert values["top_1"] == np.mean(outputs.argmax(1) == labels)
    assert values["top_5"] == np.mean(tf.math.in_top_k(labels, outputs, 5))
    loss = tf.keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
    assert values["loss"] == pytest.approx(np.mean(loss), rel=1e-6)  # float32 beside float64


def test_evaluation_is_that_of_keras():
    model = tf.keras.Sequential(
        [tf.keras.Input((8, 8, 3)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(6)]
    )
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(10, 8, 8, 3)).astype("float32"), rng.integers(0, 6, 10)
    predict = networks.make_keras_classifier(model).predict
    values = evaluation.evaluate(predict, batches(images, labels))
    compile_classifier(model, "sgd")
    expected = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert values["top_1"] == pytest.approx(expected["accuracy"])
    assert values["top_5"] == pytest.approx(expected["top_5"])
    assert values["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_probabilities_are_distinguished_from_logits(logits):
    outputs, labels = logits
    values = evaluate_outputs(tf.nn.softmax(outputs), labels)
    assert values["loss"] == pytest.approx(evaluate_outputs(outputs, labels)["loss"], rel=1e-6)
    # One image that is no distribution, in the last batch, and all are logits.
    mixed = tf.nn.softmax(outputs).numpy()
    mixed[-1] *= 2
    expected = tf.keras.losses.sparse_categorical_crossentropy(labels, mixed, from_logits=True)
    assert evaluate_outputs(mixed, labels)["loss"] == pytest.approx(np.mean(expected), rel=1e-6)


def test_probability_of_zero_leaves_the_loss_finite():
    values = evaluate_outputs(np.eye(3, dtype="float32"), [0, 1, 0])
    assert values["loss"] == pytest.approx(-np.log(1e-7) / 3)
    assert values["top_1"] == pytest.approx(2 / 3)


def test_large_logits_leave_the_loss_finite():
    values = evaluate_outputs(np.float32([[1e4, -1e4], [1e4, -1e4]]), [0, 1])
    assert values["loss"] == pytest.approx(1e4)


def test_of_equal_outputs_the_lower_class_comes_first():
    values = evaluate_outputs(np.zeros((7, 7), "float32"), range(7))
    assert (values["top_1"], values["top_5"]) == (pytest.approx(1 / 7), pytest.approx(5 / 7))


def test_image_with_nan_is_wrong_even_within_five():
    outputs = np.float32([[1, 0], [np.nan, 0], [0, 1]])
    values = evaluate_outputs(outputs, [0, 0, 0])
    assert (values["top_1"], values["top_5"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert np.isnan(values["loss"])


@pytest.mark.parametrize("label", [-1, 2])
def test_label_that_is_no_class_is_refused(label):
    with pytest.raises(ValueError, match=r"must have labels from 0 to 1, .* got"):
        evaluate_outputs(np.zeros((1, 2), "float32"), [label])


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(ValueError, match="must hold one or more images, got none"):
        evaluate_outputs(np.zeros((0, 2), "float32"), [])


def test_image_that_cannot_be_read_is_one_line(tmp_path):
    path = str(tmp_path / "gone.jpg")
    files = tf.data.Dataset.from_tensors(path).map(lambda name: (tf.io.read_file(name), 0))
    with pytest.raises(ValueError, match=r"a test image of folder cannot be read: .*gone\.jpg"):
        list(evaluation.name_broken_images(files, "folder"))
