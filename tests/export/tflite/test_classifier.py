import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close
from delegates import hide_delegate, needs_delegate
from tiny_files import binary_file, binary_model
from tiny_networks import dense

import export
from export import runtime
from export.tflite.classifier import load_tflite_classifier
from recu_tf import networks


@pytest.fixture(scope="module")
def plain():
    """A float network, and its file for TensorFlow Lite with three images at a time."""
    model = dense(batch_size=3)
    return model, tf.lite.TFLiteConverter.from_keras_model(model).convert()


def test_tflite_file_of_any_batch_size_is_run(plain, images):
    model, flatbuffer = plain
    classifier = export.make_tflite_classifier(flatbuffer)
    assert classifier[1:] == ((8, 8, 3), 4)
    expected = networks.make_keras_classifier(model).predict(images)
    np.testing.assert_allclose(classifier.predict(images), expected, atol=1e-5)


@pytest.mark.parametrize("end", [0, 7, 100, -16])
def test_damaged_tflite_file_is_refused_and_does_not_crash(plain, end):
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file; th"):
        export.make_tflite_classifier(plain[1][:end])


def test_quantized_inputs_are_refused(images):
    converter = tf.lite.TFLiteConverter.from_keras_model(dense())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
    converter.inference_input_type = tf.int8
    with pytest.raises(ValueError, match="floating-point numbers, got int8 and float32"):
        export.make_tflite_classifier(converter.convert())


@needs_delegate
@pytest.mark.parametrize("processors", [1, 2, 3])
def test_images_are_shared_among_interpreters_and_keep_their_order(processors, images, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)))
    classifier, description = load_tflite_classifier(binary_file())
    assert description.startswith("the delegate (")
    assert description.endswith("one by one" if processors == 1 else f"{processors} at a time")
    assert classifier[1:] == ((8, 8, 3), 3)
    together = classifier.predict(images)
    alone = [classifier.predict(images[number : number + 1])[0] for number in range(len(images))]
    np.testing.assert_array_equal(together, alone)
    assert_close(together, binary_model().predict(images, verbose=0))


def test_binary_file_runs_in_the_engine_where_the_delegate_is_missing(images, monkeypatch):
    hide_delegate(monkeypatch)
    classifier, description = load_tflite_classifier(binary_file())
    assert description.startswith("Larq Compute Engine (")
    assert "the delegate cannot be used: absent/librecu_delegate.so does not exist" in description
    assert_close(classifier.predict(images), binary_model().predict(images, verbose=0))


@needs_delegate
def test_binary_file_that_the_delegate_refuses_runs_in_the_engine(images, monkeypatch):
    def refuse(*_):
        raise RuntimeError("recu: node 1, LceBconv2d,\n cannot be run: it is odd")

    monkeypatch.setattr(runtime, "load", refuse)
    classifier, description = load_tflite_classifier(binary_file())
    assert description.endswith(
        "cannot be used: recu: node 1, LceBconv2d, cannot be run: it is odd"
    )
    assert_close(classifier.predict(images), binary_model().predict(images, verbose=0))


def test_float_file_runs_in_the_engine_and_the_delegate_is_not_mentioned(plain):
    _, description = load_tflite_classifier(plain[1])
    assert description.startswith("Larq Compute Engine (")
    assert description.endswith("), one by one")


def test_network_of_two_inputs_is_refused():
    inputs = [tf.keras.Input((8, 8, 3)) for _ in range(2)]
    model = tf.keras.Model(inputs, tf.keras.layers.Flatten()(tf.keras.layers.add(inputs)))
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with pytest.raises(ValueError, match="must have one input and one output, got 2 and 1"):
        export.make_tflite_classifier(flatbuffer)
