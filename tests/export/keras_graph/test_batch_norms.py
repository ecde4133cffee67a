import numpy as np
import pytest
import tensorflow as tf

from export.keras_graph.batch_norms import is_on_channels, read_batch_norm
from export.keras_graph.graph import read_graph

L = tf.keras.layers
IMAGES = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")


def read_step(*layers):
    """The last step of a model of layers."""
    return read_graph(tf.keras.Sequential([tf.keras.Input((4, 4, 3)), *layers])).steps[-1]


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_weights_give_what_the_layer_computes(scale, center):
    initializers = {
        "gamma_initializer": tf.keras.initializers.RandomNormal(seed=0),
        "beta_initializer": tf.keras.initializers.RandomNormal(seed=1),
        "moving_mean_initializer": tf.keras.initializers.RandomNormal(seed=2),
        "moving_variance_initializer": tf.keras.initializers.RandomUniform(0.5, 2, seed=3),
    }
    step = read_step(L.BatchNormalization(scale=scale, center=center, **initializers))
    norm = read_batch_norm(step)
    got = IMAGES * norm.factor + (norm.beta - norm.mean * norm.factor)
    # Roundings of float32 numbers of up to ten, in another order.
    np.testing.assert_allclose(got, step.layer(IMAGES, training=False), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([L.BatchNormalization()], True),
        ([L.BatchNormalization(axis=3)], True),
        ([L.BatchNormalization(axis=1)], False),
        ([L.BatchNormalization(axis=[1, 3])], False),
        ([L.Flatten(), L.BatchNormalization(axis=1)], True),
        ([L.LayerNormalization()], False),
    ],
)
def test_only_the_last_axis_has_the_channels(layers, expected):
    assert is_on_channels(read_step(*layers)) == expected
