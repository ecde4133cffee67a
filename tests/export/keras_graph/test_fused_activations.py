import pytest
import tensorflow as tf

from export.keras_graph.fused_activations import is_fused, name_activation

L = tf.keras.layers


@pytest.mark.parametrize(
    ("layer", "name", "fused"),
    [
        (L.Activation("relu6"), "relu6", True),
        (L.Activation("tanh"), "tanh", False),
        (L.Conv2D(1, 1), "linear", True),
        (L.Dense(1, activation="relu"), "relu", True),
        (L.Dense(1, activation=L.ReLU(6)), None, False),
        (L.ReLU(), None, True),
        (L.ReLU(6), None, True),
        (L.ReLU(5), None, False),
        (L.ReLU(negative_slope=0.1), None, False),
        (L.ReLU(threshold=1), None, False),
        (L.Softmax(), "softmax", False),
        (L.Flatten(), None, False),
    ],
)
def test_activations_have_names_and_some_are_fused(layer, name, fused):
    assert (name_activation(layer), is_fused(layer)) == (name, fused)
