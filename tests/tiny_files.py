"""TFLite files that are made in seconds and run in no time."""

import functools

import larq as lq
import numpy as np
import tensorflow as tf

import export


def binary_model(channels=32, groups=1):
    """A convolution in float, a binary one of 16 filters, and a classifier of 3 classes."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Conv2D(channels, 3, padding="same", use_bias=False)(inputs)
    x = lq.layers.QuantConv2D(
        16,
        3,
        padding="same",
        pad_values=1,
        groups=groups,
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip",
        use_bias=False,
    )(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(3)(x))


@functools.cache
def binary_file(channels=32, groups=1):
    return export.convert(binary_model(channels, groups))


@functools.cache
def float_file():
    return export.convert_float_twin(binary_model())


@functools.cache
def file_of(dtype="float32", units=3):
    """A dense layer behind an input of any type of numbers."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input((4,), batch_size=2, dtype=dtype)
    outputs = tf.keras.layers.Dense(units)(tf.cast(inputs, tf.float32))
    return tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(inputs, outputs)).convert()


def damaged(flatbuffer):
    """The first half of a file, and one of whose offsets point nowhere."""
    wild = bytearray(flatbuffer)
    wild[32:200] = np.random.default_rng(0).bytes(168)
    return [flatbuffer[: len(flatbuffer) // 2], bytes(wild)]
