import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close

import export
from export.conversion.serving import add_pixel_input, add_softmax
from export.tflite.interpreter import run
from recu_tf.data import DATASETS, Normalization
from recu_tf.pixel_scaling import denormalize

L = tf.keras.layers
NORMALIZATION = Normalization((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def network(units=4, **options):
    image = tf.keras.Input((8, 8, 3), **options)
    x = L.Conv2D(8, 3, padding="same")(image)
    return tf.keras.Model(image, L.Dense(units)(L.Flatten()(x)))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_pixels_are_normalised_in_the_model_and_in_the_file(pixels, batch_size):
    model = network(batch_size=batch_size)
    expected = model(NORMALIZATION(pixels)).numpy()
    served = add_pixel_input(model, NORMALIZATION)
    assert served.input_shape == (batch_size, 8, 8, 3)
    assert served.inputs[0].dtype == tf.uint8
    assert_close(served(pixels).numpy(), expected)
    assert_close(run(export.convert(served, batch_size=batch_size or 1), pixels), expected)


def test_normalization_of_other_images_is_refused():
    gray = Normalization((0.5,), (0.2,))
    with pytest.raises(ValueError, match="must have the images' 3 channels, got 1"):
        add_pixel_input(network(), gray)


def test_softmax_makes_probabilities_of_logits(pixels):
    images = NORMALIZATION(pixels)
    model = network()
    expected = tf.nn.softmax(model(images)).numpy()
    assert_close(add_softmax(model)(images).numpy(), expected)
    assert_close(run(export.convert(add_softmax(model)), images.numpy()), expected)


@pytest.mark.parametrize("head", [lambda: L.Dense(1), lambda: L.Reshape((2, 2))])
def test_softmax_of_what_are_no_logits_is_refused(head):
    model = network()
    model = tf.keras.Model(model.inputs, head()(model.outputs[0]))
    with pytest.raises(ValueError, match=r"`softmax` needs logits .* got a model that gives"):
        add_softmax(model)


@pytest.mark.parametrize("normalization", [NORMALIZATION, DATASETS["cifar10"].normalization])
def test_pixels_come_back_from_normalised_images(normalization):
    pixels = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(4, 8, 8, 3)
    got = denormalize(normalization(pixels).numpy(), normalization)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, pixels)


def test_pixels_beyond_black_and_white_are_cut_off():
    got = denormalize(np.full((1, 1, 1, 3), 100.0), NORMALIZATION)
    assert (got == 255).all()
    assert (denormalize(np.full((1, 1, 1, 3), -100.0), NORMALIZATION) == 0).all()
