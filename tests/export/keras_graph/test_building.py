import numpy as np
import pytest
import tensorflow as tf
from rewritten import pool_before_norm
from tiny_networks import WithoutConfig

from export.keras_graph.building import build_model, flatten_model
from export.keras_graph.graph import read_graph

L = tf.keras.layers


def block(name):
    image = tf.keras.Input((4,))
    return tf.keras.Model(image, L.ReLU(name="relu")(L.Dense(4, name="dense")(image)), name=name)


def test_built_model_computes_the_same_with_weights_of_its_own():
    model = pool_before_norm()
    copy = build_model(read_graph(model))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 32))
    np.testing.assert_array_equal(copy(images), model(images))
    assert not {id(weight) for weight in copy.weights} & {id(weight) for weight in model.weights}
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


def test_size_of_batches_names_and_nesting_of_outputs_are_kept():
    image = tf.keras.Input(batch_shape=(3, 4), name="vectors")
    model = tf.keras.Model(image, {"b": [L.ReLU()(image)], "a": image}, name="nested")
    copy = build_model(read_graph(model))
    assert copy.name == "nested"
    assert copy.input_names == ["vectors"]
    assert copy.input_shape == (3, 4)
    tf.nest.assert_same_structure(copy.output, model.output)
    assert copy.output_names == ["a", "b.0"]


def test_layers_of_one_name_in_models_within_are_called_by_their_paths():
    image = tf.keras.Input((4,))
    model = tf.keras.Model(image, L.Softmax(name="end")(block("one")(block("two")(image))))
    flat = flatten_model(model)
    names = {layer.name for layer in flat.layers if not isinstance(layer, L.InputLayer)}
    assert names == {"one/dense", "one/relu", "two/dense", "two/relu", "end"}
    np.testing.assert_array_equal(flat(np.ones((1, 4))), model(np.ones((1, 4))))


def test_model_called_twice_within_shares_its_layers():
    inner = block("inner")
    image = tf.keras.Input((4,))
    model = tf.keras.Model(image, inner(inner(image)))
    for copy in (build_model(read_graph(model)), flatten_model(model)):
        assert len(copy.weights) == 2
        np.testing.assert_array_equal(copy(np.ones((1, 4))), model(np.ones((1, 4))))


def test_layer_that_cannot_be_copied_is_named():
    image = tf.keras.Input((4,))
    model = tf.keras.Model(image, WithoutConfig(tf.abs)(image))
    message = "layers that can be made from their configuration; `nameless`, WithoutConfig, cannot"
    with pytest.raises(ValueError, match=message):
        build_model(read_graph(model))


def test_lambda_is_used_itself():
    image = tf.keras.Input((4,))
    double = L.Lambda(lambda x: 2 * x)
    copy = build_model(read_graph(tf.keras.Model(image, double(image))))
    assert copy.layers[-1] is double
