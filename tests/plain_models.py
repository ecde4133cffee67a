"""Keras models without a layer of Larq, and what `binarize` makes of them."""

import tensorflow as tf

from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.models import binarize
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers
SHAPE = (8, 8, 3)


def conv(filters=4, size=3, **options):
    return L.Conv2D(filters, size, padding="same", **options)


def sequential(*layers, shape=SHAPE):
    return tf.keras.Sequential([tf.keras.Input(shape), *layers], name="plain")


def functional(make):
    """A model of what a function makes of symbolic images."""
    inputs = tf.keras.Input(SHAPE)
    return tf.keras.Model(inputs, make(inputs), name="plain")


def find_binary(model):
    """The names of the binary layers, each of which has ReCU and its own quantizers."""
    layers = [layer for layer in model.submodules if find_kernel_quantizers(layer)]
    quantizers = [part for layer in layers for part in find_kernel_quantizers(layer).values()]
    assert all(isinstance(part, ReCU) for part in quantizers)
    assert all(isinstance(layer.input_quantizer, StandardizedApproxSign) for layer in layers)
    assert len({*map(id, quantizers)}) == len(quantizers)
    return {layer.name for layer in layers}


def find_kinds(model, **options):
    """What a binarized model consists of: the kinds of its layers but the first and the last."""
    return [type(layer).__name__ for layer in binarize(model, **options).layers[1:-1]]
