"""Models whose layers are connected oddly, or known to their code alone; the names say how."""

import larq as lq
import numpy as np
import tensorflow as tf
from bad_parts import SHAPE, K, binary, classifier, normalised


def no_layers():
    inputs = tf.keras.Input(SHAPE)
    return tf.keras.Model(inputs, inputs)


def no_binary_layer():
    return classifier(lambda x: K.ReLU()(K.Conv2D(8, 3)(x)), (8, 8, 3))


def hard_tanh_with_two_readers():
    def layers(x):
        x = K.BatchNormalization()(binary("first")(x))
        x = K.Activation(lq.activations.hard_tanh, name="hard_tanh")(x)
        return K.Add()([x, K.BatchNormalization()(binary("second")(x))])

    return classifier(layers, SHAPE)


def convolution_called_twice():
    def layers(x):
        convolution = binary("convolution")
        return convolution(K.BatchNormalization()(convolution(x)))

    return classifier(layers, SHAPE)


def _block(name):
    inputs = tf.keras.Input(SHAPE)
    x = K.Activation(lq.activations.hard_tanh, name="hard_tanh")(inputs)
    x = K.BatchNormalization(name="norm")(binary("convolution")(x))
    return tf.keras.Model(inputs, x, name=name)


def nested_models_whose_layers_have_the_same_names():
    first, second = _block("one"), _block("other")
    return classifier(lambda x: second(first(x)), SHAPE)


def nested_model_called_twice():
    block = _block("block")
    return classifier(lambda x: block(block(x)), SHAPE)


def deep_and_narrow():
    """Whatever sign turns in the first of its layers turns others in all behind it."""

    def layers(x):
        for number in range(12):
            y = K.BatchNormalization()(binary(f"convolution{number}")(x))
            x = K.Add()([x, y])
        return x

    return classifier(layers, SHAPE)


class Subclassed(tf.keras.Model):
    """A model that only its code knows."""

    def __init__(self):
        super().__init__()
        self.convolution = binary("convolution")
        self.norm = K.BatchNormalization()
        self.pool = K.GlobalAveragePooling2D()

    def call(self, inputs):
        return self.pool(self.norm(self.convolution(inputs)))


def subclassed_model():
    model = Subclassed()
    model(np.zeros((1, *SHAPE), np.float32))
    return normalised(model)


def subclassed_model_never_called():
    return Subclassed()


def subclassed_model_between_input_and_output():
    inputs = tf.keras.Input(SHAPE)
    return normalised(tf.keras.Model(inputs, Subclassed()(inputs)))


def sequential_model():
    return normalised(
        tf.keras.Sequential(
            [
                tf.keras.Input(SHAPE),
                binary("convolution"),
                K.MaxPool2D(),
                K.BatchNormalization(),
                K.GlobalAveragePooling2D(),
            ]
        )
    )


def sequential_model_never_built():
    return tf.keras.Sequential([binary("convolution"), K.GlobalAveragePooling2D()])
