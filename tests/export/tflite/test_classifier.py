import numpy as np
import pytest
import tensorflow as tf
from tiny_networks import dense

import export
from recu_tf import networks


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(5, 8, 8, 3)).astype("float32")


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
