import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from export.conversion.rewriting.on_maps import compute_map_shape, find_twin
from export.keras_graph.graph import read_graph
from recu_tf.layers import ChannelScale

L = tf.keras.layers


@pytest.mark.parametrize(
    ("shape", "on_map"),
    [
        ((None, 5), (None, 1, 1, 5)),
        ((None, 9, 5), (None, 1, 9, 5)),
        ((None, 6, 7, 5), (None, 6, 7, 5)),
        ((None, 2, 3, 4, 5), (None, 1, 24, 5)),
    ],
)
def test_map_is_as_low_as_it_can_be(shape, on_map):
    assert compute_map_shape(shape) == on_map


def read_with(layer, shape=(8, 4)):
    image = tf.keras.Input(shape)
    model = tf.keras.Model(image, layer(image))
    weights = [np.random.default_rng(0).uniform(0.5, 2, w.shape) for w in model.weights]
    model.set_weights(weights)
    graph = read_graph(model)
    (step,) = graph.steps
    return graph, step


@pytest.mark.parametrize(
    "layer",
    [
        L.ReLU(6),
        L.Activation("softmax"),
        ChannelScale(),
        lq.quantizers.SteSign(),
        L.BatchNormalization(),
        L.MaxPooling1D(3, 2, padding="same"),
        L.AveragePooling1D(2),
        L.GlobalMaxPooling1D(),
        L.GlobalAveragePooling1D(keepdims=True),
    ],
)
def test_twin_computes_the_same_on_maps(layer):
    graph, step = read_with(layer)
    twin, gives_map = find_twin(graph, step)
    assert twin.name == layer.name
    numbers = np.random.default_rng(1).normal(size=(2, 8, 4)).astype(np.float32)
    expected = layer(numbers).numpy()
    assert gives_map == (expected.ndim == 3)
    # A batch norm of maps adds and multiplies in another order.
    got = twin(numbers[:, None]).numpy().reshape(expected.shape)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        L.BatchNormalization(axis=1),
        L.MaxPooling1D(data_format="channels_first"),
        L.PReLU(),
        L.Permute((2, 1)),
        L.Dense(4),
    ],
)
def test_other_layers_have_none(layer):
    assert find_twin(*read_with(layer)) is None


def test_sum_has_a_twin_where_its_inputs_are_of_one_shape():
    image, row = tf.keras.Input((8, 4)), tf.keras.Input((1, 4))
    alike = read_graph(tf.keras.Model(image, L.Add()([image, image])))
    assert find_twin(alike, alike.steps[0]) is not None
    spread = read_graph(tf.keras.Model([image, row], L.Add()([image, row])))
    assert find_twin(spread, spread.steps[0]) is None
