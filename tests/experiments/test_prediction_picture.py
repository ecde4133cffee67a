import numpy as np
import pytest
import tensorflow as tf

from experiments.prediction_picture import Predictions, draw_predictions
from experiments.pretrained.sample_photographs import read_photographs
from recu_tf import data, models


def draw(path, *, right):
    """Draws a single image, taken for its class or for another; returns the picture's pixels."""
    panel = Predictions(
        "a network",
        "how good it is",
        np.zeros((1, 4, 4, 3), np.uint8),
        np.array([0 if right else 1]),
        ("cat", "dog"),
        np.array([[0.9, 0.1]]),
    )
    draw_predictions([panel], path)
    return tf.io.decode_png(path.read_bytes(), channels=3).numpy().astype(int)


@pytest.mark.parametrize("right", [True, False])
def test_wrong_answers_are_red_and_right_classes_green(tmp_path, right):
    red, green, blue = np.moveaxis(draw(tmp_path / "a.png", right=right), -1, 0)
    assert ((red > green + 80) & (red > blue + 80)).any() == (not right)
    assert ((green > red + 50) & (green > blue + 50)).any()


def test_photographs_are_the_first_of_each_class_and_the_network_knows_most_of_them():
    images, labels = read_photographs()
    assert (images.shape, images.dtype) == ((10, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(labels, np.arange(10))
    network = models.build("resnet20_1w1a", weights="cifar10")
    outputs = network(data.DATASETS["cifar10"].normalization(images))
    # Far better than chance, whatever weights come along.
    assert np.mean(np.argmax(outputs, axis=1) == labels) >= 0.5
