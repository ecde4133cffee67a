"""What rounding alone does to a binary network's outputs.

The engine counts the bits that differ and multiplies at the end: its float32 sums start at the
number of weights of a filter and come down to the result. That rounds each output to about that
number times 2^-24, more coarsely than Keras does. A value so close to 0 turns its sign, and in a
deep network whose activations are large there may be some in most images.
"""

import numpy as np
import tensorflow as tf

from export.binary_layers import binary_convolutions

__all__ = ["predict_with_rounding"]


def predict_with_rounding(model: tf.keras.Model, images: np.ndarray) -> np.ndarray:
    """Keras' outputs with every binary convolution's outputs rounded about as the engine's are.

    Each is moved by a uniform random number of at most 2^-24 times the weights of a filter.

    Args:
        model: a functional or sequential model with binary convolutions.
        images: float32 (count, height, width, channels).

    Returns:
        The outputs (count, ...).
    """
    binary = {id(layer) for layer in binary_convolutions(model)}

    def clone(layer):
        kind = _rounded(type(layer)) if id(layer) in binary else type(layer)
        return kind.from_config(layer.get_config())

    rounded = tf.keras.models.clone_model(model, clone_function=clone)
    rounded.set_weights(model.get_weights())
    return rounded.predict(images, verbose=0)


def _rounded(kind: type[tf.keras.layers.Conv2D]) -> type[tf.keras.layers.Conv2D]:
    def convolution_op(self, inputs, kernel):
        outputs = kind.convolution_op(self, inputs, kernel)
        most = np.prod(kernel.shape[:-1]) * 2.0**-24
        noise = tf.random.stateless_uniform(tf.shape(outputs), [0, 0], -most, most)
        return outputs + tf.cast(noise, outputs.dtype)

    return type(f"Rounded{kind.__name__}", (kind,), {"convolution_op": convolution_op})
