"""TFLite files that are converted in seconds and run in microseconds."""

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
    return export.convert_float_baseline(binary_model())


def dense_file(units=3, dtypes=("float32",)):
    """A dense layer on the sum of an input of each type."""
    tf.keras.utils.set_random_seed(0)
    inputs = [tf.keras.Input((4,), batch_size=2, dtype=dtype) for dtype in dtypes]
    total = sum(tf.cast(tensor, tf.float32) for tensor in inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(units)(total))
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


def damaged(flatbuffer):
    """The first half of a file, and a file whose offsets point to nowhere."""
    wild = bytearray(flatbuffer)
    wild[32:200] = np.random.default_rng(0).bytes(168)
    return [flatbuffer[: len(flatbuffer) // 2], bytes(wild)]
