"""Small models of Larq layers whose quantizers are not those of ReCU."""

import larq as lq
import numpy as np
import tensorflow as tf
from tiny_networks import make_images

from recu_tf.quantizers import ReCU

SIGNS = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
CLIPPED = {**SIGNS, "kernel_constraint": "weight_clip"}
IMAGES = make_images(2)


def outputs_with(model, layer):
    """What a functional model gives that applies a layer to images."""
    inputs = tf.keras.Input((8, 8, 3))
    return tf.keras.Model(inputs, layer(inputs), name=model)


def assert_same_weights(copy, model):
    """All weights of a model stand in its copy, which has temperatures besides."""
    values = {weight.name: weight.numpy() for weight in copy.weights}
    for weight in model.weights:
        if "/tau" not in weight.name:
            np.testing.assert_array_equal(values.pop(weight.name), weight.numpy())
    assert all("/tau" in name for name in values)


def assert_recu(layer, *arguments):
    """Each of a layer's kernel quantizers is a ReCU, and no constraint is left."""
    for argument in arguments or ("kernel_quantizer",):
        assert isinstance(getattr(layer, argument), ReCU)
        assert getattr(layer, argument.replace("quantizer", "constraint")) is None


def small_model():
    inputs = tf.keras.Input((8, 8, 3), name="photographs")
    x = lq.layers.QuantConv2D(
        4,
        3,
        kernel_quantizer="magnitude_aware_sign",
        kernel_constraint="weight_clip",
        kernel_regularizer="l2",
        name="first",
    )(inputs)
    x = tf.keras.layers.BatchNormalization(name="norm")(x)
    x = lq.layers.QuantConv2D(4, 3, strides=2, name="second", **CLIPPED)(x)
    x = tf.keras.layers.Flatten()(x)
    x = lq.layers.QuantDense(5, name="real")(x)
    return tf.keras.Model(inputs, x, name="small")
