import numpy as np
import pytest
import tensorflow as tf

from export.keras_graph.output_kinds import find_last_activation, find_output_kind

L = tf.keras.layers


def model_of(*layers):
    return tf.keras.Sequential([tf.keras.Input((4, 4, 3)), L.Flatten(), *layers])


def kind(model):
    images = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype(np.float32)
    return find_output_kind(model, model(images).numpy())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([L.Dense(4)], "logits"),
        ([L.Dense(4), L.Dropout(0.5), L.Activation("linear", dtype="float32")], "logits"),
        ([L.Dense(4), L.Activation("log_softmax")], "logits"),
        ([L.Dense(4, "softmax")], "probabilities"),
        ([L.Dense(4), L.Softmax(), L.Reshape((4,))], "probabilities"),
        ([L.Dense(4), L.Activation(tf.nn.softmax)], "probabilities"),
        ([L.Dense(4, "sigmoid")], "values"),
        ([L.Dense(4), L.Activation("tanh")], "values"),
        ([L.Dense(4, "relu")], "values"),
        ([L.Dense(4), L.ReLU()], "values"),
        ([L.Dense(1)], "values"),
        ([L.Dense(4), L.Reshape((2, 2))], "values"),
        # Where the graph does not show it, numbers do.
        ([L.Dense(4), L.Lambda(tf.nn.sigmoid)], "values"),
        ([L.Dense(4), L.Lambda(tf.nn.softmax)], "probabilities"),
        ([L.Dense(4), L.Lambda(tf.identity)], "logits"),
    ],
)
def test_last_activation_decides_what_outputs_are(layers, expected):
    assert kind(model_of(*layers)) == expected
    image = tf.keras.Input((4, 4, 3))
    assert kind(tf.keras.Model(image, model_of(*layers)(image))) == expected


def test_functions_at_the_end_are_known():
    image = tf.keras.Input((4, 4, 3))
    x = L.Dense(2)(L.Flatten()(image))
    assert kind(tf.keras.Model(image, tf.nn.sigmoid(x))) == "values"
    assert kind(tf.keras.Model(image, tf.nn.softmax(x))) == "probabilities"


def test_sigmoid_whose_numbers_add_up_to_1_gives_no_probabilities():
    model = model_of(L.Dense(2, "sigmoid", kernel_initializer="zeros"))
    assert model(np.ones((1, 4, 4, 3))).numpy().sum() == 1
    assert kind(model) == "values"


def test_each_output_has_its_own_ending():
    image = tf.keras.Input((4, 4, 3))
    x = L.Flatten()(image)
    model = tf.keras.Model(image, [L.Dense(2, "sigmoid")(x), L.Dense(2)(x)])
    assert [find_last_activation(model, number) for number in (0, 1)] == ["sigmoid", "linear"]
