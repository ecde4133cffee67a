"""What the outputs of a network are: logits, probabilities, or values that are of no classes."""

import numpy as np
import tensorflow as tf

from export.keras_graph.graph import is_graph, read_graph
from recu_tf.evaluation import are_probabilities

__all__ = ["find_last_activation", "find_output_kind"]

L = tf.keras.layers
# What changes no number, or drops some of them.
PASSING = (L.Flatten, L.Reshape, L.Dropout, L.Permute)
# Functions as layers, by the last part of their names in TensorFlow.
FUNCTIONS = {"softmax", "sigmoid", "tanh", "relu", "relu6", "exp", "softplus", "log_softmax"}
LOGITS = ("linear", "log_softmax")


def find_last_activation(model: tf.keras.Model, output: int = 0) -> str | None:
    """The name of the activation that an output of a network ends with, as its graph shows.

    Returns:
        As Keras calls it, such as "softmax", or "linear" for a layer without; None where the graph
        does not show it, as of a subclassed model or a layer of one's own.
    """
    if not is_graph(model):
        return None
    graph = read_graph(model)
    value = graph.outputs[output]
    while (step := graph.find_producer(value)) is not None:
        if step.within is not None:
            graph, value = step.within, step.within.outputs[step.values.index(value)]
        elif not (isinstance(step.layer, PASSING) or _is_linear_activation(step.layer)):
            return _find_activation(step.layer)
        elif len(step.inputs) != 1:
            return None
        else:
            value = step.input
    return None


def _is_linear_activation(layer: tf.keras.layers.Layer) -> bool:
    return isinstance(layer, L.Activation) and _name_activation(layer.activation) == "linear"


def _name_activation(activation) -> str | None:
    name = getattr(activation, "__name__", None) or type(activation).__name__
    return name.rsplit(".", 1)[-1].removesuffix("_v2")


def _find_activation(layer: tf.keras.layers.Layer) -> str | None:
    if isinstance(layer, L.Softmax):
        return "softmax"
    if isinstance(layer, L.ReLU | L.LeakyReLU | L.PReLU | L.ELU):
        return "relu"
    function = getattr(layer, "symbol", None)  # of a function that was called in a model
    if function is not None:
        name = function.rsplit(".", 1)[-1]
        return name if name in FUNCTIONS else None
    if getattr(layer, "activation", None) is not None:
        return _name_activation(layer.activation)
    # Keras' own without an activation, and Larq's.
    own = type(layer).__module__.split(".")[0] in ("keras", "tf_keras", "larq")
    return "linear" if own and not isinstance(layer, L.Lambda | L.InputLayer) else None


def find_output_kind(model: tf.keras.Model, outputs: np.ndarray, output: int = 0) -> str:
    """What a network gives.

    The last activation decides where the graph shows it. Where it does not, numbers from 0 to 1
    are probabilities if they add up to 1, and else of no classes, as those of a sigmoid.

    Args:
        model: the network.
        outputs: what it gives for a few images at one output.
        output: the number of that output.

    Returns:
        "logits" or "probabilities" of classes (images, classes), two or more; else "values".
    """
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        return "values"
    activation = find_last_activation(model, output)
    if activation == "softmax":
        return "probabilities"
    if activation is not None and activation not in LOGITS:
        return "values"
    if are_probabilities(outputs):
        return "probabilities"
    bounded = outputs.min() >= 0 and outputs.max() <= 1
    return "values" if activation is None and bounded else "logits"
