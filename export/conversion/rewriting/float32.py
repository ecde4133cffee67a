"""Rebuilds a model of another precision in float32, which the converter needs."""

import tensorflow as tf

from export.keras_graph.graph import Graph

__all__ = ["find_other_precisions", "make_float32"]


def find_other_precisions(model: tf.keras.Model) -> list[str]:
    """Finds the names of all precision policies in a model, nested ones included, but float32."""
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.Layer)]
    policies = {layer.dtype_policy.name for layer in [model, *layers]}
    # Layers of whole numbers compute nothing that could be rounded.
    return sorted(name for name in policies if "float" in name and name != "float32")


def _replace_policies(config: object) -> object:
    """Replaces every policy in a configuration, also those of layers that a wrapper holds."""
    if isinstance(config, list | tuple):
        # Keras wraps the lists that layers hold, and its wrappers take nothing but lists.
        return (tuple if isinstance(config, tuple) else list)(map(_replace_policies, config))
    if not isinstance(config, dict):
        return config
    return {
        key: "float32" if key == "dtype" and _is_policy(value) else _replace_policies(value)
        for key, value in config.items()
    }


def _is_policy(value: object) -> bool:
    name = value.get("config", {}).get("name", "") if isinstance(value, dict) else value
    return isinstance(name, str) and "float" in name


def _copy_lambda(layer: tf.keras.layers.Lambda) -> tf.keras.layers.Lambda:
    return tf.keras.layers.Lambda(
        layer.function,
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        dtype="float32",
    )


def make_float32(graph: Graph) -> None:
    """Gives every layer, and every input of real numbers, the precision float32."""
    for value in graph.inputs:
        if value.dtype.is_floating:
            value.dtype = tf.float32
    for step in graph.steps:
        layer = step.layer
        if step.within is not None or not layer.inbound_nodes:
            continue  # its steps are rewritten by themselves, or it was rewritten at another call
        if isinstance(layer, tf.keras.layers.Lambda):
            # Not from its configuration, which holds its code as bytes.
            graph.replace(layer, _copy_lambda(layer), [])
        else:
            new = type(layer).from_config(_replace_policies(layer.get_config()))
            graph.replace(layer, new, layer.get_weights())
