import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays
from tiny_networks import make_images

from export.keras_graph.building import build_model
from export.keras_graph.graph import check_listed, read_graph

L = tf.keras.layers
IMAGES = make_images(2)


def chain():
    image = tf.keras.Input((8, 8, 3), name="image")
    x = L.ReLU(name="relu")(L.MaxPooling2D(name="pool")(image))
    return tf.keras.Model(image, [L.Flatten(name="flat")(x), 2.0 * x])


def step_named(graph, name):
    (step,) = (step for step in graph.steps if step.name == name)
    return step


def test_readers_and_producers_follow_values():
    graph = read_graph(chain())
    pool, relu = step_named(graph, "pool"), step_named(graph, "relu")
    assert graph.find_producer(relu.input) is pool
    assert graph.find_producer(graph.inputs[0]) is None
    assert graph.find_readers(pool.output) == [relu]
    flat, product = sorted(graph.find_readers(relu.output), key=lambda step: step.name)
    assert flat.name == "flat"
    assert graph.find_readers(product.output) == [None]


def test_removed_step_passes_on_what_it_reads():
    model = chain()
    graph = read_graph(model)
    graph.remove(step_named(graph, "relu"))
    _, doubled = build_model(graph)(IMAGES)
    np.testing.assert_array_equal(doubled, 2 * tf.nn.max_pool2d(IMAGES, 2, 2, "VALID"))


def test_exchanged_steps_have_the_shapes_of_their_new_places():
    model = chain()
    graph = read_graph(model)
    pool, relu = step_named(graph, "pool"), step_named(graph, "relu")
    graph.exchange(pool, relu)
    assert [step.name for step in graph.steps[:2]] == ["relu", "pool"]
    assert relu.output.shape == pool.input.shape == (None, 8, 8, 3)
    new = build_model(graph)
    assert new.get_layer("relu").output_shape == (None, 8, 8, 3)
    assert_same_arrays(new(IMAGES), model(IMAGES))


def test_replaced_layer_is_another_in_all_its_calls():
    image = tf.keras.Input((4,))
    shared = L.Dense(4, name="shared")
    model = tf.keras.Model(image, shared(shared(image)))
    graph = read_graph(model)
    assert len(graph.find_calls(shared)) == 2
    assert not graph.is_called_once(graph.steps[0])
    graph.replace(shared, L.Dense(4, use_bias=False, name="new"), [2 * np.eye(4)])
    new = build_model(graph)
    assert [weight.name for weight in new.weights] == ["new/kernel:0"]
    np.testing.assert_array_equal(new(np.ones((1, 4))), np.full((1, 4), 4.0))


def test_model_called_twice_within_is_one_graph():
    inner = tf.keras.Sequential([tf.keras.Input((4,)), L.Dense(4)])
    image = tf.keras.Input((4,))
    graph = read_graph(tf.keras.Model(image, inner(inner(image))))
    assert graph.steps[0].within is graph.steps[1].within
    assert len(list(graph.list_graphs())) == 2


def test_what_is_no_graph_is_refused():
    class Subclassed(tf.keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="`model` must be a Keras model, got str"):
        read_graph("model.keras")
    with pytest.raises(ValueError, match=r"must be functional or sequential .* got Subclassed"):
        read_graph(Subclassed())
    image = tf.keras.Input((4,))
    graph = read_graph(tf.keras.Model(image, Subclassed(name="inner")(image)))
    with pytest.raises(ValueError, match="and so must `inner` in it, got Subclassed"):
        check_listed(graph)
