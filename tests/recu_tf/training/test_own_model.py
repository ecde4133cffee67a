import numpy as np
import tensorflow as tf

from recu_tf.training.own_model import describe_architecture, list_names, rename_layers


def make_model(activation="elu"):
    """A model of which Keras calls a layer "elu" at first, like the activation function."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, activation=activation)(inputs)
    x = layers.Add()([layers.ELU()(x), tf.nn.elu(x)])
    return tf.keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def test_layer_may_have_the_name_of_an_activation_function():
    tf.keras.backend.clear_session()
    model, again = make_model(), make_model()
    assert [m.layers[2].name for m in (model, again)] == ["elu", "elu_1"]
    assert describe_architecture(model) == describe_architecture(again)
    assert describe_architecture(model) != describe_architecture(make_model("relu"))
    renamed = rename_layers(again, list_names(model))
    assert list_names(renamed) == list_names(model)
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_array_equal(renamed(images), again(images))
