"""Keras models that are graphs of layers, and the calls of layers in them."""

import tensorflow as tf

__all__ = ["is_graph", "nodes"]


def is_graph(model: tf.keras.Model) -> bool:
    """Whether a model is a graph of layers (functional or sequential), not a Python function."""
    return bool(getattr(model, "_is_graph_network", False))


def nodes(model: tf.keras.Model) -> list:
    """The calls of layers in a functional model, each after those whose tensors it reads."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in model._nodes_by_depth[depth]]
