"""Which tensors of the published implementation the weights of a network are, and how they lie."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from recu_tf import layers
from recu_tf.quantizers import ReCU

__all__ = ["PublishedTensor", "published_tensors"]


class PublishedTensor(NamedTuple):
    """A tensor of the published state dict, and the variable here that holds it.

    Attributes:
        name: the published one.
        shape: the published one.
        variable: of the Keras model.
        to_keras: from an array of the published shape to one of the variable's.
    """

    name: str
    shape: tuple[int, ...]
    variable: tf.Variable
    to_keras: Callable[[np.ndarray], np.ndarray]


def published_tensors(network: tf.keras.Model) -> Iterator[PublishedTensor]:
    """Lists the tensors of the published state dict of a network.

    Args:
        network: one of `recu_tf.models`; where it turns its images, its kernels are turned too.

    Yields:
        The tensors, `num_batches_tracked` left out.
    """
    rotated = any(isinstance(layer, layers.Rotate180) for layer in network.layers)
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            yield _convolution(layer, rotated)
            if isinstance(quantizer := getattr(layer, "kernel_quantizer", None), ReCU):
                yield _reshaped(f"{layer.name}.tau", (), quantizer.tau)
        elif isinstance(layer, layers.ChannelScale):
            yield _reshaped(layer.name, (*layer.alpha.shape, 1, 1), layer.alpha)
        elif isinstance(layer, layers.LearnableBias):
            yield _reshaped(f"{layer.name}.bias", (1, *layer.bias.shape, 1, 1), layer.bias)
        elif isinstance(layer, tf.keras.layers.PReLU):
            yield _reshaped(f"{layer.name}.weight", (layer.alpha.shape[-1],), layer.alpha)
        elif isinstance(layer, tf.keras.layers.BatchNormalization):
            for name, variable in (
                ("weight", layer.gamma),
                ("bias", layer.beta),
                ("running_mean", layer.moving_mean),
                ("running_var", layer.moving_variance),
            ):
                yield _reshaped(f"{layer.name}.{name}", tuple(variable.shape), variable)
        elif isinstance(layer, tf.keras.layers.Dense):
            yield _classifier(layer, network)
            yield _reshaped(f"{layer.name}.bias", tuple(layer.bias.shape), layer.bias)


def _reshaped(name: str, shape: tuple[int, ...], variable: tf.Variable) -> PublishedTensor:
    return PublishedTensor(name, shape, variable, lambda array: array.reshape(variable.shape))


def _convolution(layer: tf.keras.layers.Conv2D, rotated: bool) -> PublishedTensor:
    height, width, before, after = layer.kernel.shape
    turn = slice(None, None, -1 if rotated else 1)
    return PublishedTensor(
        f"{layer.name}.weight",
        (after, before, height, width),
        # What Larq quantizes is a wrapper around the latent weights.
        getattr(layer.kernel, "latent_variable", layer.kernel),
        lambda array: array.transpose(2, 3, 1, 0)[turn, turn],
    )


def _classifier(layer: tf.keras.layers.Dense, network: tf.keras.Model) -> PublishedTensor:
    flattened = [one.input_shape[1:] for one in network.layers if one.name == "flatten"]
    features, classes = layer.kernel.shape
    height, width, channels = flattened[0] if flattened else (1, 1, features)

    def to_keras(array: np.ndarray) -> np.ndarray:
        # PyTorch flattens channel by channel, Keras pixel by pixel.
        array = array.reshape(classes, channels, height, width)
        return array.transpose(2, 3, 1, 0).reshape(features, classes)

    return PublishedTensor(f"{layer.name}.weight", (classes, features), layer.kernel, to_keras)
