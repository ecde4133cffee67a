"""Logits of networks that end with a softmax, and of those that do not."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from recu_tf.functional import is_graph, nodes

__all__ = ["as_logits", "ends_with_softmax", "widen"]

# Operations that change neither the values nor their order.
PASSING = ("Identity", "StopGradient", "Cast", "Reshape", "Squeeze", "ExpandDims")


def ends_with_softmax(model: tf.keras.Model) -> bool:
    """Whether the output of a model is the output of a softmax, so probabilities and not logits.

    The layers are followed from the output to the first that computes something, through models
    in models; that layer alone is traced. A model that is a Python function is traced as a whole.

    Args:
        model: with one output. One that is a Python function must have been called. A softmax
            that is computed from exponentials and sums, and one in the graph of a SavedModel
            without layers, are not seen.
    """
    if not is_graph(model):
        called = model.save_spec()
        return called is not None and bool(_find_softmax(model, *called[0]))
    producers = {id(t): node for node in nodes(model) for t in tf.nest.flatten(node.outputs)}
    tensor = model.outputs[0]
    while not (node := producers[id(tensor)]).is_input:
        if isinstance(node.layer, tf.keras.Model):
            return ends_with_softmax(node.layer)
        tensors = {str(id(t)): tf.TensorSpec(t.shape, t.dtype) for t in node.keras_inputs}
        found = _find_softmax(lambda values, node=node: _call(node, values), tensors)
        if found is not None or len(node.keras_inputs) != 1:
            return bool(found)
        tensor = node.keras_inputs[0]
    return False


def _call(node, values: dict[str, tf.Tensor]) -> tf.Tensor:
    """Calls the layer of a node on other tensors, by the ids of those that it was called on."""
    # Keras takes the tensors from lists, once for each argument that is one.
    lists = {name: [value] * len(node.keras_inputs) for name, value in values.items()}
    arguments, options = node.map_arguments(lists)
    return node.layer(*arguments, **options)


def _find_softmax(function: Callable, *inputs: object) -> bool | None:
    """Whether a function ends with a softmax; None if it returns its input unchanged."""
    traced = tf.function(function, autograph=False).get_concrete_function(*inputs)
    outputs = tf.nest.flatten(traced.structured_outputs)
    operation = _skip_passing(traced.outputs[0]).op if len(outputs) == 1 else None
    if operation is None or operation.type != "Placeholder":
        return operation is not None and operation.type == "Softmax"
    return None


def _skip_passing(tensor: tf.Tensor) -> tf.Tensor:
    while tensor.op.type in PASSING:
        tensor = tensor.op.inputs[0]
    return tensor


def widen(values: tf.Tensor) -> tf.Tensor:
    """The same numbers in float32, unless they are of a wider type."""
    return values if values.dtype.size >= 4 else tf.cast(values, tf.float32)


def as_logits(probabilities: tf.Tensor) -> tf.Tensor:
    r"""The logits \(z\) whose softmax the probabilities \(p\) are.

    Where they come from a softmax of Keras, or of TensorFlow in the function that is being traced,
    these are the inputs of that softmax, and values and gradients are exact for logits of any size.
    Elsewhere they are \(\log p\), which differs from \(z\) by a constant for each image, and so
    has the same softmax, at every temperature; probabilities below the smallest normal number
    count as that number, and have no gradient.

    Args:
        probabilities: (batch, classes), the output of a network that ends with a softmax, see
            `ends_with_softmax`, called outside or inside a `tf.function`.

    Returns:
        (batch, classes); in float32 or wider if it is \(\log p\).
    """
    # Keras notes on the output of its softmax what went in; its own losses use that too.
    noted = getattr(probabilities, "_keras_logits", None)
    if noted is not None:
        return noted
    if isinstance(probabilities, tf.Tensor) and not hasattr(probabilities, "numpy"):
        operation = probabilities.op
        while operation.type in ("Identity", "Cast"):
            operation = operation.inputs[0].op
        if operation.type == "Softmax":
            return operation.inputs[0]
    values = widen(probabilities)
    return tf.math.log(tf.maximum(values, np.finfo(values.dtype.as_numpy_dtype).tiny))
