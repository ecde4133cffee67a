"""Networks with random weights, as after a training."""

import numpy as np
import tensorflow as tf

K = tf.keras.layers


def with_random_statistics(model):
    """Batch norms as after a training: scales of both signs, means and variances of their own."""
    for layer in model.layers:
        if isinstance(layer, K.BatchNormalization):
            count = layer.moving_mean.shape[0]
            values = {
                "gamma": np.random.uniform(0.5, 1.5, count) * np.random.choice([-1, 1], count),
                "beta": np.random.normal(0, 0.3, count),
                "moving_mean": np.random.normal(0, 0.3, count),
                "moving_variance": np.random.uniform(0.5, 2, count),
            }
            for name, value in values.items():
                if getattr(layer, name) is not None:
                    getattr(layer, name).assign(value)
    return model
