"""Faults of a file that its outputs hardly show, for few images or for none."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from rewritten import images_for

import export

L = tf.keras.layers


def gated():
    """A branch that wakes where an image is bright, and then decides alone."""
    image = tf.keras.Input((8, 8, 32))
    gate = L.ReLU(name="gate")(L.GlobalAveragePooling2D()(image) - 1)
    x = L.Conv2D(4, 3, padding="same", use_bias=False, name="branch")(image)
    x = L.Dense(2, name="vote")(L.Flatten()(x))
    rest = L.Dense(2, name="rest")(L.GlobalAveragePooling2D()(image))
    bright = L.Dense(2, kernel_initializer="ones", name="bright")(gate)
    return tf.keras.Model(image, L.Add()([rest, L.Multiply()([bright, x])]))


def mirrored(model, *arguments):
    """A converter that mirrors the branch's kernel, in every file that it makes."""
    branches = [layer for layer in model.submodules if layer.name == "branch"]
    for layer in branches:
        layer.set_weights([layer.get_weights()[0][::-1, ::-1]])
    flatbuffer = export.convert(model, *arguments)
    for layer in branches:
        layer.set_weights([layer.get_weights()[0][::-1, ::-1]])
    return flatbuffer


@pytest.mark.slow
@pytest.mark.parametrize("bright", [1, 9])
def test_branch_that_few_images_wake_is_found_wrong(bright, monkeypatch):
    tf.keras.utils.set_random_seed(0)
    model = gated()
    images = images_for(model, 400)
    numbers = 40 * np.arange(bright) + 39
    images[numbers] += 2
    assert export.verify(export.convert(model), model, images).passed
    monkeypatch.setattr(sys.modules["export.proof.layer_comparison"], "convert", mirrored)
    verification = export.verify(mirrored(model), model, images)
    # Each alone would do for a pass.
    assert verification.share_within >= 0.97
    assert verification.gross == bright
    assert not verification.passed
    assert verification.wrong_layer == "branch"


def test_lost_class_is_reported_and_layers_are_compared():
    """Of the images of one class none keeps it, by differences that are small for the outputs."""
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, L.Dense(3, name="head")(L.GlobalAveragePooling2D()(image)))
    other = tf.keras.models.clone_model(model)
    model.get_layer("head").set_weights([50 * np.eye(32, 3), np.array([0, -1e-3, -99])])
    other.get_layer("head").set_weights([50 * np.eye(32, 3), np.array([0, 1e-3, -99])])
    images = images_for(model, 50)
    # The same in the first two channels but for the last images, which set the spread.
    images[:, ..., 1] = images[:, ..., 0]
    images[20:, ..., 1] += np.where(np.arange(30) % 5, 1, 2)[:, None, None]
    verification = export.verify(export.convert(other), model, images)
    assert verification.share_within == 1
    assert verification.lost == (0,)
    assert not verification.alike
    assert verification.taken_apart or verification.not_taken_apart


def hidden(end, bias):
    """A miscompiled convolution behind which images hardly change the outputs."""
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, strides=2)(L.ZeroPadding2D(1)(inputs))
    dense = L.Dense(4, end, bias_initializer=tf.keras.initializers.Constant(bias))
    return tf.keras.Model(inputs, dense(L.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(("end", "bias"), [(None, 500), ("sigmoid", 8), ("softmax", [9, 0, 0, 0])])
def test_difference_is_measured_by_what_images_change(end, bias):
    tf.keras.utils.set_random_seed(0)
    model = hidden(end, bias)
    images = images_for(model, 16)
    verification = export.verify(export.convert(model), model, images)
    outputs = model(images).numpy()
    # Next to the largest output it is nothing.
    assert verification.largest_difference < 1e-2 * np.abs(outputs).max()
    assert not verification.alike
    assert not verification.alike_images
    assert not verification.passed


def dead():
    """The activation is dead on images of usual size, not on larger ones."""
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, bias_initializer=tf.keras.initializers.Constant(-99))(inputs)
    return tf.keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling2D()(L.ReLU()(x))))


@pytest.mark.slow
def test_layers_are_looked_at_where_images_all_give_the_same():
    model = dead()
    flatbuffer, images = export.convert(model), images_for(model, 16)
    verification = export.verify(flatbuffer, model, images)
    assert verification.alike
    assert verification.taken_apart
    assert verification.passed
    assert "outputs are the same for all of these images, so every layer" in str(verification)
    assert "passed, layer by layer" in str(verification)
    for count in (1, len(images)):
        verification = export.verify(flatbuffer, model, 100 * images[:count])
        assert verification.passed
        assert not verification.taken_apart


def test_nothing_is_verified_where_images_give_the_same_and_layers_are_hidden():
    inner = dead()

    class Hidden(tf.keras.Model):
        def call(self, images):
            return inner(images)

    model = Hidden()
    inputs = tf.keras.Input((8, 8, 32))
    around = tf.keras.Model(inputs, model(inputs))
    verification = export.verify(
        export.convert(around), around, images_for(inner, 16), converted=model
    )
    assert verification.alike
    assert not verification.passed
    assert "nothing is verified: the model's outputs are the same for all" in str(verification)


@pytest.mark.slow
def test_moved_windows_are_found_where_images_all_give_the_same():
    inputs = tf.keras.Input((8, 8, 32))
    x = L.Conv2D(8, 3, strides=2, name="conv")(L.ZeroPadding2D(1)(inputs))
    model = tf.keras.Model(inputs, L.ReLU()(x - 99))
    verification = export.verify(export.convert(model), model, images_for(model, 16))
    assert verification.alike
    assert not verification.passed
    assert str(verification).endswith("first wrong layer: conv")
