import numpy as np
import pytest
import tensorflow as tf

from recu_tf import logits

Dense, Softmax = tf.keras.layers.Dense, tf.keras.layers.Softmax


def graph(*layers):
    inputs = tf.keras.Input((4,))
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return tf.keras.Model(inputs, outputs)


class Function(tf.keras.Model):
    def __init__(self, activation):
        super().__init__()
        self.dense = Dense(3, activation)

    def call(self, inputs):
        return self.dense(inputs)


def build_function(activation):
    model = Function(activation)
    model(tf.keras.Input((4,)))
    return model


WITH = {
    "Dense": lambda: graph(Dense(3, "softmax")),
    "Activation": lambda: graph(Dense(3), tf.keras.layers.Activation("softmax", dtype="float32")),
    "Softmax": lambda: graph(Dense(3), Softmax()),
    "operation": lambda: graph(Dense(3), tf.nn.softmax),
    "own function": lambda: graph(Dense(3, lambda x: tf.nn.softmax(x))),
    "Identity after it": lambda: graph(
        Dense(3, "softmax"), tf.keras.layers.Identity(), tf.keras.layers.Dropout(0.5)
    ),
    "model in a model": lambda: graph(graph(Dense(3), Softmax()), tf.keras.layers.Identity()),
    "sequence": lambda: tf.keras.Sequential([tf.keras.Input((4,)), Dense(3), Softmax()]),
    "Python function": lambda: build_function("softmax"),
}
WITHOUT = {
    "Dense": lambda: graph(Dense(3)),
    "sigmoid": lambda: graph(Dense(3, "sigmoid")),
    "log softmax": lambda: graph(Dense(3, tf.nn.log_softmax)),
    "softmax before the end": lambda: graph(Dense(3, "softmax"), Dense(3)),
    "sum": lambda: graph(lambda x: Dense(3, "softmax")(x) + Dense(3)(x)),
    "model in a model": lambda: graph(graph(Dense(4, "softmax")), graph(Dense(3), Dense(3))),
    "input alone": lambda: graph(tf.keras.layers.Identity()),
    "Python function": lambda: build_function(None),
}


@pytest.mark.parametrize("build", WITH.values(), ids=WITH)
def test_softmax_at_the_end_is_found(build):
    model = build()
    assert logits.ends_with_softmax(model)
    inputs = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = model(inputs).numpy()
    for call in (model, tf.function(lambda x: model(x, training=False))):
        # float32 of numbers below 1
        np.testing.assert_allclose(
            tf.nn.softmax(logits.as_logits(call(inputs))), expected, rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("build", WITHOUT.values(), ids=WITHOUT)
def test_other_ends_are_none(build):
    assert not logits.ends_with_softmax(build())


@pytest.mark.parametrize("name", ["Dense", "Activation", "Softmax", "operation", "own function"])
def test_gradients_are_right_where_probabilities_are_0(name):
    """As those of -log(softmax) from logits: p - 1 of the label."""
    model = WITH[name]()
    model.layers[1].set_weights([np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32)])
    inputs = tf.constant([[300.0, 0.0, -300.0, 0.0]])

    @tf.function
    def differentiate():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = logits.as_logits(model(inputs, training=True))
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits([2], values)
        return loss, tape.gradient(loss, inputs)

    loss, gradient = differentiate()
    np.testing.assert_array_equal(loss, [600])
    np.testing.assert_array_equal(gradient, [[1, 0, -1, 0]])


def test_probabilities_of_unknown_origin_have_finite_logits():
    for dtype in ("float16", "float32", "float64"):
        values = logits.as_logits(tf.constant([[1.0, 0.0], [0.25, 0.75]], dtype))
        assert values.dtype == ("float64" if dtype == "float64" else "float32")
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values[1], np.log([0.25, 0.75]), rtol=1e-6)
