import re

import numpy as np
import pytest
import tensorflow as tf

from export import Source
from recu_tf.data import Normalization
from recu_tf.pixel_scaling import (
    is_identity,
    make_identity_normalization,
    make_normalization,
    scales_pixels,
)

L = tf.keras.layers
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype("uint8")


def network(*layers, channels=3):
    return tf.keras.Sequential([tf.keras.Input((8, 8, channels)), *layers, L.Conv2D(4, 3)])


def adapted(mean, std):
    return L.Normalization(mean=mean, variance=np.square(std))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"mean": [0.1, 0.2, 0.3], "std": [0.5, 1, 2]},
            (PIXELS / 255 - [0.1, 0.2, 0.3]) / [0.5, 1, 2],
        ),
        ({"scale": 1 / 127.5, "mean": [1]}, PIXELS / 127.5 - 1),
        ({"scale": 1, "mean": [103.9, 116.8, 123.7]}, PIXELS - [103.9, 116.8, 123.7]),
        ({"std": [0.25]}, PIXELS / 255 / 0.25),
        ({"scale": 1}, PIXELS),
    ],
)
def test_pixels_are_scaled_then_the_mean_subtracted_then_divided(told, expected):
    # Rounded to float32 three times.
    np.testing.assert_allclose(
        make_normalization(3, **told)(PIXELS), expected, rtol=1e-5, atol=1e-4
    )


def test_scale_of_1_alone_leaves_pixels():
    assert is_identity(make_normalization(3, scale=1))
    assert make_normalization(3, scale=1) == make_identity_normalization(3)
    assert not is_identity(make_normalization(3, scale=1, mean=[1]))
    assert make_normalization(3, [0.485], [0.229]) == Normalization((0.485,) * 3, (0.229,) * 3)
    np.testing.assert_array_equal(make_identity_normalization(3)(PIXELS), PIXELS)


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"mean": [1, 2]}, "`mean` must be one number, or one for each of 3 channels, got 2"),
        ({"std": []}, "`std` must be one number, or one for each of 3 channels, got 0"),
        ({"std": [1, 0, 1]}, "finite numbers, std above 0"),
        ({"mean": [np.nan]}, "finite numbers, std above 0"),
        ({"scale": 0}, "`scale` must be a positive number, got 0"),
        ({"scale": np.inf}, "`scale` must be a positive number, got inf"),
    ],
)
def test_numbers_that_cannot_be_right_are_refused(told, match):
    with pytest.raises(ValueError, match=match):
        make_normalization(3, **told)


def nested(layer):
    return tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.ZeroPadding2D(1), layer])


@pytest.mark.parametrize(
    ("layers", "pixels"),
    [
        ([L.Rescaling(1 / 255)], True),
        ([L.Rescaling(1 / 127.5, -1)], True),
        ([L.RandomFlip(), L.ZeroPadding2D(2), L.Rescaling(1 / 255)], True),
        ([nested(L.Rescaling(1 / 255))], True),
        ([nested(L.Dropout(0.1)), L.Rescaling(1 / 255)], True),
        ([adapted([120.0] * 3, [70.0] * 3)], True),
        ([L.Rescaling(1 / 255), adapted([0.5] * 3, [0.2] * 3)], True),
        ([adapted([0.5] * 3, [0.2] * 3)], False),
        ([L.Rescaling(2.0, -1)], False),
        ([L.BatchNormalization()], False),
        ([], False),
        # Somewhere within, it scales no pixels.
        ([L.Conv2D(3, 1), L.Rescaling(0.05)], False),
    ],
)
def test_first_scaling_layer_tells_whether_a_network_takes_pixels(layers, pixels):
    assert scales_pixels(network(*layers)) == pixels


def test_layer_of_a_subclassed_model_counts_as_well():
    class Subclassed(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.scale = L.Rescaling(1 / 255)
            self.convolution = L.Conv2D(4, 3)

        def call(self, images):
            return self.convolution(self.scale(images))

    image = tf.keras.Input((8, 8, 3))
    assert scales_pixels(tf.keras.Model(image, Subclassed()(image)))


def test_what_is_told_of_a_network_goes_before_its_layers():
    scaling, plain = network(L.Rescaling(1 / 255)), network()
    told = Normalization((0.5,) * 3, (0.25,) * 3)
    assert Source(plain, "a", "a").normalization is None
    assert Source(plain, "a", "a", normalization=told).normalization == told
    assert Source(
        plain, "a", "a", normalization="pixels"
    ).normalization == make_identity_normalization(3)
    assert Source(scaling, "a", "a").normalization == make_identity_normalization(3)
    assert Source(scaling, "a", "a", normalization=told).normalization == told


@pytest.mark.parametrize(
    ("told", "match"),
    [
        (Normalization((0.5,), (0.5,)), "a mean and a std for each of 3 channels"),
        (Normalization((0.5,) * 3, (-0.5,) * 3), "std above 0"),
        ("pixel", re.escape("must be a Normalization, \"pixels\" or None, got 'pixel'")),
    ],
)
def test_normalization_that_does_not_fit_a_network_is_refused(told, match):
    with pytest.raises(ValueError, match=match):
        Source(network(), "a", "a", normalization=told)


def test_normalization_of_what_is_no_image_is_refused():
    vectors = tf.keras.Sequential([tf.keras.Input((8,)), L.Dense(2)])
    with pytest.raises(ValueError, match=r"`normalization` is of images .* takes \(None, 8\)"):
        Source(vectors, "a", "a", normalization="pixels")
    with pytest.raises(ValueError, match=r"`class_names` must hold a name .* \(None, 2\), got 3"):
        Source(vectors, "a", "a", class_names=("x", "y", "z"))
