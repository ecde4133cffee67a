"""Rebuilds a model of another precision in float32, which is what the converter takes."""

import tensorflow as tf

from export.rewriting.graph import Changes

__all__ = ["in_float32", "other_precision"]


def other_precision(model: tf.keras.Model) -> list[str]:
    """The names of the policies in a model, and in those within, that are not float32."""
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.Layer)]
    policies = {layer.dtype_policy.name for layer in [model, *layers]}
    # Layers of whole numbers compute nothing that could be rounded.
    return sorted(name for name in policies if "float" in name and name != "float32")


def _with_float32(config: object) -> object:
    """A configuration with every policy in it replaced, as wrappers hold those of others."""
    if isinstance(config, list | tuple):
        # What Keras tracks is of types of its own, which take a list.
        return [_with_float32(one) for one in config]
    if not isinstance(config, dict):
        return config
    return {
        key: "float32" if key == "dtype" and _is_policy(value) else _with_float32(value)
        for key, value in config.items()
    }


def _is_policy(value: object) -> bool:
    name = value.get("config", {}).get("name", "") if isinstance(value, dict) else value
    return isinstance(name, str) and "float" in name


def in_float32(model: tf.keras.Model) -> Changes:
    """Gives every layer the precision float32."""
    changes = Changes()
    for layer in model.layers:
        if not isinstance(layer, tf.keras.Model | tf.keras.layers.Lambda):
            new = type(layer).from_config(_with_float32(layer.get_config()))
            changes.replace(layer, new, layer.get_weights())
    return changes
