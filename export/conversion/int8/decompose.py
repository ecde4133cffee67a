"""Splits layers that compute several operators into one layer per operator, to quantize each."""

import tensorflow as tf

from export.keras_graph.batch_norms import read_batch_norm
from export.keras_graph.binary_layers import is_binary_convolution
from export.keras_graph.building import copy_layer
from export.keras_graph.fused_activations import is_fused, name_activation
from export.keras_graph.graph import Step, Value

__all__ = ["pads_no_zeros", "replace_batch_norm", "split"]


def pads_no_zeros(layer: tf.keras.layers.Conv2D) -> bool:
    """Whether a layer pads no zeros, so that its activation is fused into a binary convolution."""
    return layer.padding == "valid" or getattr(layer, "pad_values", 0) == 1


def split(step: Step, made: dict[int, list[tf.keras.layers.Layer]]) -> list[Step]:
    """Splits a step into several that compute the same; returns it alone if it needs no splitting.

    It splits activations within a layer that the converter would not fuse, separable convolutions
    and sums of more than two terms.

    Args:
        step: of a graph.
        made: the layers that were split before, by the id of the original; grows.
    """
    layer = step.layer
    if isinstance(layer, tf.keras.layers.Add) and len(step.inputs) > 2:
        return _sum_in_pairs(step)
    if type(layer) is tf.keras.layers.SeparableConv2D:
        layers = made.setdefault(id(layer), _separate(layer))
        kernels, rest = step.weights[:1], step.weights[1:]
        return _chain_layers(step, layers, [kernels, rest, *[[]] * (len(layers) - 2)])
    if _has_activation_to_split(layer):
        if id(layer) not in made:
            linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
            made[id(layer)] = [linear, _make_activation_layer(layer)]
        return _chain_layers(step, made[id(layer)], [step.weights, []])
    return [step]


def _has_activation_to_split(layer: tf.keras.layers.Layer) -> bool:
    if not isinstance(layer, (tf.keras.layers.Conv2D, tf.keras.layers.Dense)):
        return False
    if name_activation(layer) == "linear":
        return False
    return not is_fused(layer) or (is_binary_convolution(layer) and not pads_no_zeros(layer))


def _make_activation_layer(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    if isinstance(layer.activation, tf.keras.layers.Layer):
        return copy_layer(layer.activation)
    return tf.keras.layers.Activation(layer.activation, name=f"{layer.name}.activation")


def _separate(layer: tf.keras.layers.SeparableConv2D) -> list[tf.keras.layers.Layer]:
    shared = {name: getattr(layer, name) for name in ("strides", "padding", "dilation_rate")}
    depthwise = tf.keras.layers.DepthwiseConv2D(
        layer.kernel_size,
        depth_multiplier=layer.depth_multiplier,
        use_bias=False,
        name=f"{layer.name}.depthwise",
        **shared,
    )
    fused = is_fused(layer)
    pointwise = tf.keras.layers.Conv2D(
        layer.filters,
        1,
        use_bias=layer.use_bias,
        activation=layer.activation if fused else None,
        name=f"{layer.name}.pointwise",
    )
    return [depthwise, pointwise, *([] if fused else [_make_activation_layer(layer)])]


def _chain_layers(step: Step, layers: list[tf.keras.layers.Layer], weights: list) -> list[Step]:
    steps = []
    args, kwargs = step.args, step.kwargs
    for layer, its_weights in zip(layers, weights, strict=True):
        shape = layer.compute_output_shape((steps[-1].output if steps else step.input).shape)
        output = step.output if layer is layers[-1] else Value(shape, step.output.dtype)
        steps.append(Step(layer, args, kwargs, output, weights=its_weights))
        args, kwargs = (output,), {}
    return steps


def _sum_in_pairs(step: Step) -> list[Step]:
    steps, (total, *terms) = [], step.inputs
    for number, term in enumerate(terms, start=1):
        last = number == len(terms)
        output = step.output if last else Value(step.output.shape, step.output.dtype)
        layer = tf.keras.layers.Add(name=f"{step.layer.name}.{number}")
        steps.append(Step(layer, ([total, term],), {}, output, weights=[]))
        total = output
    return steps


def replace_batch_norm(step: Step) -> Step:
    """Replaces a batch norm on (batch, height, width, channels) by a depthwise 1x1 convolution.

    The converter turns a batch norm into MUL and ADD, in float32 unless a FakeQuant stands between
    the two; a depthwise convolution is one int8 operator with a factor per channel and an int32
    bias.
    """
    norm = read_batch_norm(step)
    depthwise = tf.keras.layers.DepthwiseConv2D(1, name=f"{step.layer.name}.depthwise")
    weights = [norm.factor.reshape(1, 1, -1, 1), norm.beta - norm.mean * norm.factor]
    return Step(depthwise, (step.input,), {}, step.output, weights=weights)
