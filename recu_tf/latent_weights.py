"""The latent weights of Larq's layers, also within its scope in which kernels give their signs."""

import larq as lq
import numpy as np
import tensorflow as tf

__all__ = ["copy_weights", "get_latent", "read_latent_weights"]


def get_latent(variable: tf.Variable) -> tf.Variable:
    """The variable that Larq's layers wrap into one that gives its signs; any other as it is."""
    return getattr(variable, "latent_variable", variable)


def read_latent_weights(network: tf.keras.Model) -> list[np.ndarray]:
    """The weights of a network as `get_weights` gives them, of binary kernels the latent ones."""
    with lq.context.quantized_scope(False):
        return network.get_weights()


def copy_weights(network: tf.keras.Model, copy: tf.keras.Model) -> bool:
    """Gives a network the weights of another one.

    Args:
        network: whose weights are copied, of binary kernels the latent ones.
        copy: gets the weights.

    Returns:
        Whether the weights of both have the same shapes, in the same order; if not, `copy` stays as
        it is.
    """
    arrays = read_latent_weights(network)
    if [array.shape for array in arrays] != [tuple(weight.shape) for weight in copy.weights]:
        return False
    copy.set_weights(arrays)
    return True
