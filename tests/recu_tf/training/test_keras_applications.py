import urllib.error

import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays
from tf_keras.src.utils import data_utils

from recu_tf.training import keras_applications
from recu_tf.training.keras_applications import (
    build_application,
    list_applications,
    load_weights,
)


@pytest.fixture(scope="module")
def mobile_net():
    """The network of keras.applications that is built fastest, for 10 classes."""
    return tf.keras.applications.MobileNet(weights=None, classes=10)


def small(classes=3):
    dense = tf.keras.layers.Dense(classes, bias_initializer="ones")
    return tf.keras.Sequential([tf.keras.Input((4,)), dense], name="small")


def test_names_are_those_of_keras():
    names = list_applications()
    assert {"ResNet50", "EfficientNetB0", "MobileNet"} <= set(names)
    assert all(name[0].isupper() for name in names)


@pytest.mark.slow
def test_network_gets_the_weights_of_a_file_and_its_own_preprocessing(mobile_net, tmp_path):
    mobile_net.save_weights(tmp_path / "mobile.h5")
    model, preprocess = build_application(
        "MobileNet", num_classes=10, weights=str(tmp_path / "mobile.h5")
    )
    assert_same_arrays(model.get_weights(), mobile_net.get_weights())
    assert model.input_shape == (None, 224, 224, 3)
    np.testing.assert_array_equal(preprocess(tf.constant([0.0, 255.0])), [-1, 1])


@pytest.mark.slow
def test_network_that_keras_builds_for_any_size_gets_its_published_one(monkeypatch):
    monkeypatch.setattr(keras_applications, "load_weights", lambda *_: None)
    model, _ = build_application("MobileNetV3Small", num_classes=10, weights="a.h5")
    assert model.input_shape == (None, 224, 224, 3)


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "whole.h5", "a.keras"])
def test_every_format_of_weights_is_read(name, tmp_path):
    model = small()
    if name in ("whole.h5", "a.keras"):
        model.save(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
    loaded = small()
    load_weights(loaded, tmp_path / name)
    assert_same_arrays(loaded.get_weights(), model.get_weights())


@pytest.mark.parametrize("name", ["a.h5", "a.weights.h5", "a.keras"])
def test_weights_of_another_network_and_damaged_files_are_refused(name, tmp_path):
    path = tmp_path / name
    message = "`teacher_weights` must be a file with weights of small for 3 classes, .* cannot be"
    other = small(5)
    if name == "a.keras":
        other.save(path)
    else:
        other.save_weights(path)
    with pytest.raises(ValueError, match=message):
        load_weights(small(), path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=message):
        load_weights(small(), path)


def test_weights_that_cannot_be_downloaded_are_described(monkeypatch, tmp_path):
    def fail(*_):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(data_utils, "urlretrieve", fail)
    with pytest.raises(ValueError, match="no network") as caught:
        build_application("MobileNet", num_classes=1000)
    expected = "Bring mobilenet_1_0_224_tf.h5 from https://storage.googleapis.com/"
    assert expected in str(caught.value)
    assert "/mobilenet_1_0_224_tf.h5 and give its path with --teacher_weights FILE." in str(
        caught.value
    )
    monkeypatch.setattr(data_utils, "urlretrieve", lambda *_: 1 / 0)
    with pytest.raises(ValueError, match="Bring the file that Keras names above and"):
        build_application("MobileNet", num_classes=1000)


def test_published_weights_are_not_fetched_for_other_classes(monkeypatch):
    monkeypatch.setattr(keras_applications, "_build_published", lambda *_: 1 / 0)
    with pytest.raises(ValueError, match="for 1000 classes, the network has 10: bring weights"):
        build_application("ResNet50", num_classes=10)
