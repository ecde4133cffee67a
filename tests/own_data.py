"""A small model, and images, such as callers of a training bring along."""

import larq as lq
import numpy as np
import tensorflow as tf

CLASSES = 3
BINARY = {"kernel_quantizer": "recu", "input_quantizer": "standardized_approx_sign"}


def make_model(activation=None, quantizers=BINARY, filters=4, **options):
    """A model whose layers Keras names anew each time."""
    inputs = tf.keras.Input((6, 6, 3))
    x = tf.keras.layers.Conv2D(filters, 3, **options)(inputs)
    x = tf.keras.layers.BatchNormalization()(x)
    x = lq.layers.QuantConv2D(4, 3, **quantizers)(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(CLASSES, activation)(x))


def make_arrays(count, seed=0):
    """Pixels of uint8 and integer labels."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 6, 6, 3)).astype("uint8"), np.arange(count) % CLASSES


def make_batches(count, seed=0, batch_size=4):
    """Batches of floating-point images and one-hot labels, shuffled anew in each epoch."""
    images, labels = make_arrays(count, seed)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    dataset = tf.data.Dataset.from_tensor_slices((images / np.float32(255), one_hot))
    return dataset.shuffle(count, seed=3).batch(batch_size)
