"""The activations of layers, and which of them the converter fuses into the operator before."""

import tensorflow as tf

__all__ = ["is_fused", "name_activation"]

L = tf.keras.layers
FUSED = ("linear", "relu", "relu6")


def name_activation(layer: tf.keras.layers.Layer) -> str | None:
    """The name of a layer's activation, such as "relu"; None where it has none, or no name."""
    if isinstance(layer, L.Softmax):
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def is_fused(layer: tf.keras.layers.Layer) -> bool:
    """Whether the converter fuses a layer's activation, or a layer that is an activation itself."""
    if isinstance(layer, L.ReLU):
        return not layer.negative_slope and not layer.threshold and layer.max_value in (None, 6)
    return name_activation(layer) in FUSED
