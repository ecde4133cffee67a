"""Which tensor of the published implementation each weight of a network corresponds to.

Keras layers carry the names of the published modules, so a tensor's variable follows from its
name. A ResNet's images and kernels are rotated by 180 degrees: PyTorch pads strided convolutions
at the first edge, TensorFlow at the last, and the rotation makes the two agree exactly.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from recu_tf import layers
from recu_tf.latent_weights import get_latent
from recu_tf.quantizers import ReCU

__all__ = ["PublishedTensor", "join_names", "list_tensors", "strip_module_prefix"]

MOST_NAMES = 20
PREFIX = "module."


def strip_module_prefix(state_dict: Mapping) -> dict:
    """Removes the prefix that training on several GPUs puts before all names, if it is there."""
    is_prefixed = all(str(name).startswith(PREFIX) for name in state_dict)
    return {
        str(name).removeprefix(PREFIX) if is_prefixed else str(name): value
        for name, value in state_dict.items()
    }


def join_names(names: list[str]) -> str:
    """Lists names for an error message, at most 20 of them, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


class PublishedTensor(NamedTuple):
    """A tensor of the published state dict, and the variable that holds its values here.

    Attributes:
        name: its published name.
        shape: its published shape.
        variable: of the Keras model.
        to_keras: converts an array of the published shape to the variable's shape and layout.
    """

    name: str
    shape: tuple[int, ...]
    variable: tf.Variable
    to_keras: Callable[[np.ndarray], np.ndarray]


def list_tensors(network: tf.keras.Model) -> Iterator[PublishedTensor]:
    """Lists the tensors of the published state dict of a network.

    Args:
        network: one of `recu_tf.models`; if it rotates its images, its kernels are rotated too.

    Yields:
        The tensors, without `num_batches_tracked`.
    """
    rotated = any(isinstance(layer, layers.Rotate180) for layer in network.layers)
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            yield _describe_convolution(layer, rotated)
            if isinstance(quantizer := getattr(layer, "kernel_quantizer", None), ReCU):
                yield _describe_reshaped(f"{layer.name}.tau", (), quantizer.tau)
        elif isinstance(layer, layers.ChannelScale):
            yield _describe_reshaped(layer.name, (*layer.alpha.shape, 1, 1), layer.alpha)
        elif isinstance(layer, layers.LearnableBias):
            yield _describe_reshaped(f"{layer.name}.bias", (1, *layer.bias.shape, 1, 1), layer.bias)
        elif isinstance(layer, tf.keras.layers.PReLU):
            yield _describe_reshaped(f"{layer.name}.weight", (layer.alpha.shape[-1],), layer.alpha)
        elif isinstance(layer, tf.keras.layers.BatchNormalization):
            for name, variable in (
                ("weight", layer.gamma),
                ("bias", layer.beta),
                ("running_mean", layer.moving_mean),
                ("running_var", layer.moving_variance),
            ):
                yield _describe_reshaped(f"{layer.name}.{name}", tuple(variable.shape), variable)
        elif isinstance(layer, tf.keras.layers.Dense):
            yield _describe_classifier(layer, network)
            yield _describe_reshaped(f"{layer.name}.bias", tuple(layer.bias.shape), layer.bias)


def _describe_reshaped(name: str, shape: tuple[int, ...], variable: tf.Variable) -> PublishedTensor:
    return PublishedTensor(name, shape, variable, lambda array: array.reshape(variable.shape))


def _describe_convolution(layer: tf.keras.layers.Conv2D, rotated: bool) -> PublishedTensor:
    height, width, inputs, filters = layer.kernel.shape
    order = slice(None, None, -1 if rotated else 1)
    return PublishedTensor(
        f"{layer.name}.weight",
        (filters, inputs, height, width),
        get_latent(layer.kernel),
        lambda array: array.transpose(2, 3, 1, 0)[order, order],
    )


def _describe_classifier(layer: tf.keras.layers.Dense, network: tf.keras.Model) -> PublishedTensor:
    flattened = [flat.input_shape[1:] for flat in network.layers if flat.name == "flatten"]
    features, classes = layer.kernel.shape
    height, width, channels = flattened[0] if flattened else (1, 1, features)

    def to_keras(array: np.ndarray) -> np.ndarray:
        # PyTorch flattens channel by channel, Keras pixel by pixel.
        array = array.reshape(classes, channels, height, width)
        return array.transpose(2, 3, 1, 0).reshape(features, classes)

    return PublishedTensor(f"{layer.name}.weight", (classes, features), layer.kernel, to_keras)
