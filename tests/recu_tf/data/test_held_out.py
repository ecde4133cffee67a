import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits

from recu_tf import data
from recu_tf.data.held_out import choose_held_out


def test_a_share_of_each_class_is_held_out_always_the_same():
    labels = np.repeat([0, 1, 2, 5], [10, 20, 3, 1])
    held_out = choose_held_out(labels, 0.3)
    assert np.bincount(labels[held_out], minlength=6).tolist() == [3, 6, 1, 0, 0, 0]
    np.testing.assert_array_equal(choose_held_out(labels, 0.3), held_out)
    # A class keeps an image to train on.
    assert np.bincount(labels[choose_held_out(labels, 0.99)], minlength=6).max() == 19
    with pytest.raises(ValueError, match="`validation_split` must hold out one image or more"):
        choose_held_out(np.arange(8), 0.5)


def collect(batches):
    return [np.concatenate(parts) for parts in zip(*batches.as_numpy_iterator(), strict=True)]


def test_held_out_digits_are_neither_trained_on_nor_augmented(monkeypatch):
    few_digits(monkeypatch, train=60)
    pixels, labels = data.load("digits", "train")
    held_out = choose_held_out(labels, 0.25)
    training = data.load_training_set("digits", held_out=0.25)
    batches, count = data.load_evaluation_set("digits", held_out=0.25)
    images, found = collect(batches)
    assert training.count == 60 - held_out.sum() == 60 - count
    np.testing.assert_array_equal(found, labels[held_out])
    np.testing.assert_allclose(images, pixels[held_out], atol=1e-6)  # float32
    (_, trained) = collect(training.batches(10, epochs=1, seed=0))
    np.testing.assert_array_equal(np.sort(trained), np.sort(labels[~held_out]))


def test_held_out_files_are_not_trained_on(tmp_path):
    for name, grey in (("a", 10), ("b", 200)):
        for number in range(4):
            folder = tmp_path / "train" / name
            folder.mkdir(parents=True, exist_ok=True)
            image = tf.constant(grey + number, tf.uint8, (8, 8, 3))
            tf.io.write_file(f"{folder}/{number}.png", tf.io.encode_png(image))
    batches, count = data.load_evaluation_set("folder", str(tmp_path), held_out=0.5)
    training = data.load_training_set("folder", str(tmp_path), held_out=0.5)
    assert (training.count, count) == (4, 4)

    def list_greys(images):
        return {round(float(image.mean()), 3) for image in images}

    held_out, trained = collect(batches), collect(training.batches(2, epochs=1, seed=0))
    assert held_out[0].shape == (4, 224, 224, 3)
    np.testing.assert_array_equal(held_out[1], [0, 0, 1, 1])
    assert not list_greys(held_out[0]) & list_greys(trained[0])
