import numpy as np
import pytest
import tensorflow as tf

from recu_tf.data import DATASETS, Normalization
from recu_tf.training.teacher_images import make_adapter, resize

DIGITS, IMAGENET = DATASETS["digits"].normalization, DATASETS["imagenet"].normalization


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3)).astype(np.float32)


def test_images_of_the_same_network_are_left_alone():
    same = Normalization(DIGITS.mean, DIGITS.std)
    assert make_adapter(DIGITS, same, (32, 32), [32, 32]) is None
    assert make_adapter(None, None, (32, 32), (32, 32)) is None


@pytest.mark.parametrize("wanted", [IMAGENET, tf.keras.applications.vgg16.preprocess_input])
def test_images_get_the_normalisation_of_the_other_network(wanted, pixels):
    got = make_adapter(DIGITS, wanted, (8, 6), (8, 6))(DIGITS(pixels))
    # float32 of numbers up to 255, normalised and back
    np.testing.assert_allclose(got, wanted(tf.constant(pixels)), rtol=0, atol=1e-4)


def test_images_get_the_size_of_the_other_network(pixels):
    normalized = DIGITS(pixels)
    resized = tf.image.resize(pixels, (5, 9), antialias=True)
    for wanted in (DIGITS, IMAGENET):
        got = make_adapter(DIGITS, wanted, (8, 6), (5, 9))(normalized)
        np.testing.assert_allclose(got, wanted(resized), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(3, 2), (8, 6), (19, 13), (2, 13)])
def test_resizing_is_that_of_tensorflow(size, pixels):
    compiled = tf.function(lambda images: resize(images, size), jit_compile=True)
    expected = tf.image.resize(pixels, size, antialias=True)
    # float32 of numbers up to 255; TensorFlow's weights are in float32 as well
    np.testing.assert_allclose(resize(tf.constant(pixels), size), expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(compiled(pixels), expected, rtol=0, atol=1e-3)
