"""What stands before an operator in a file, and why it keeps the input from being bits."""

import itertools

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.hard_tanh import reads_sign_only
from export.keras_graph import binary_layers as layers
from export.keras_graph.kernel_faults import find_pad_faults
from export.proof.mapping import KERNEL_INPUT
from export.tflite.file import File, Operator, Tensor
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["BITS", "check_input", "check_quantizer", "describe_quantizer", "trace_input"]

Layer = tf.keras.layers.Layer

SIGN_ADVICE = "the converter knows `lq.math.sign`, Larq's quantizers and `tf.where(x >= 0, 1, -1)`"
PAD_ADVICE = 'pad with padding="same" in the layer instead (pad_values 0 or 1).'
MOVE_ADVICE = "move it in front of the sign, or behind the convolution."
PADS = ("PAD", "PADV2", "MIRROR_PAD")
BITS = ("LceQuantize", "LceDequantize")


def trace_input(operator: Operator, file: File, names: list[str]) -> list[tuple[Operator, str]]:
    """Lists the operators that compute the input of an operator, the nearest first.

    The list ends at a sign, or before another operator with a kernel.

    Returns:
        The operators, each with the name of its layer.
    """
    makers = {
        (maker.graph, output.index): (maker, name)
        for maker, name in zip(file.operators, names, strict=True)
        for output in maker.outputs
    }
    chain: list[tuple[Operator, str]] = []
    tensor = _find_data_input(operator)
    while tensor is not None and (tensor.graph, tensor.index) in makers:
        made = makers[tensor.graph, tensor.index]
        if made[0].name in KERNEL_INPUT or made in chain:
            break
        chain.append(made)
        if made[0].name in ("SIGN", *BITS):
            break
        tensor = _find_data_input(made[0])
    return chain


def _find_data_input(operator: Operator) -> Tensor | None:
    place = 2 if operator.name == "TRANSPOSE_CONV" else 0
    for tensor in operator.inputs[place:]:
        if tensor is not None and tensor.constant is None:
            return tensor
    return None


def check_input(
    layer: Layer,
    title: str,
    operator: Operator,
    chain: list[tuple[Operator, str]],
    model: tf.keras.Model,
) -> list[str]:
    """Says why the converter does not take the input of a layer for bits.

    Args:
        layer: with binary quantizers.
        title: what to call it.
        operator: that the converter made of it.
        chain: what computes the operator's input, see `trace_input`.
        model: the model.

    Returns:
        A sentence; none where the input is bits.
    """
    quantizer = describe_quantizer(layers.get_input_quantizer(layer))
    if getattr(layer, "data_format", "") == "channels_first":
        return ["its data format is channels_first, which puts transposes around it; use NHWC."]
    between = [(step, name) for step, name in chain if step.name not in ("SIGN", *BITS)]
    sign = next(((step, name) for step, name in chain if step.name in ("SIGN", *BITS)), None)
    known = sign is not None and sign[0].name in BITS
    own = [(step, name) for step, name in between if name == title]
    if any(step.name in PADS for step, _ in own) and (faults := find_pad_faults(layer)):
        return faults
    if known and len(own) < len(between):
        return [
            f"between the sign and the convolution stands {_list_operators(between, title)}; "
            + (PAD_ADVICE if any(step.name in PADS for step, _ in between) else MOVE_ADVICE)
        ]
    if (
        known
        and getattr(layer, "padding", "") == "valid"
        and operator.options.get("padding") == "SAME"
    ):
        return [
            "between the sign and the convolution stands a padding, which the converter has fused "
            f"into the convolution; {PAD_ADVICE}"
        ]
    values = _compute_values(layer, model)
    # Of a sign in which values happen to be 0; one of 0 and 1 alone is another quantizer.
    if sign is not None and not known and (values is None or _consists_of(values, (-1, 0, 1), -1)):
        name = sign[1]
        place = "" if name in ("", title) else f" of layer {name!r}"
        return [
            f"its input comes from a bare tf.sign{place} (input quantizer {quantizer}), which "
            f"gives 0 for 0; {SIGN_ADVICE}."
        ]
    if values is not None and not _consists_of(values, (-1, 1)):
        return [_describe_values(values, quantizer)]
    if known and between:
        return [
            f"between the sign and the convolution stands {_list_operators(between, title)}; the "
            f"input quantizer {quantizer} must end with the sign."
        ]
    if known:
        return []
    source = _list_operators(own or between, title) if between else "no operator of its own"
    return [
        f"its input comes from {source}, in which the converter finds no sign (input quantizer "
        f"{quantizer}); {SIGN_ADVICE}."
    ]


def _consists_of(values: np.ndarray, allowed: tuple, *needed: int) -> bool:
    return bool(np.isin(values, allowed).all() and np.isin(needed, values).all())


def _describe_values(values: np.ndarray, quantizer: str) -> str:
    distinct = np.unique(values)
    shown = ", ".join(f"{value:.3g}" for value in distinct[:3])
    more = f", ... ({len(distinct)} values)" if len(distinct) > 3 else ""
    return (
        f"what the convolution reads is not -1 and 1 but {shown}{more}, behind the input "
        f"quantizer {quantizer}; a scale belongs behind the convolution, and what changes the "
        "values belongs in front of the sign."
    )


@preserve_quantized_scope()
def _compute_values(layer: Layer, model: tf.keras.Model) -> np.ndarray | None:
    """What a layer convolves, in an image of random numbers; None where that cannot be computed."""
    models = [module for module in model.submodules if isinstance(module, tf.keras.Model)]
    for parent in (model, *models):
        if any(inner is layer for inner in parent.layers) and getattr(parent, "inputs", None):
            break
    else:
        return None
    shapes = [[1, *(size or 32 for size in tensor.shape[1:])] for tensor in parent.inputs]
    rng = np.random.default_rng(0)
    images = [
        tf.cast(rng.normal(size=shape).astype(np.float32), tensor.dtype)
        for shape, tensor in zip(shapes, parent.inputs, strict=True)
    ]
    try:
        before = tf.keras.Model(parent.inputs, layer.get_input_at(0))(images, training=False)
    except (AttributeError, ValueError, tf.errors.OpError):  # not part of a graph of layers
        return None
    return layers.get_input_quantizer(layer)(before).numpy()


def describe_quantizer(quantizer) -> str:
    """The name and the class of a quantizer, in words."""
    name = getattr(quantizer, "name", None) or getattr(quantizer, "__name__", "")
    return f"{name!r} ({type(quantizer).__name__})"


def _list_operators(operators: list[tuple[Operator, str]], title: str) -> str:
    def describe_place(name):
        if not name:
            return ""
        return " of its input quantizer" if name == title else f" of layer {name!r}"

    groups = itertools.groupby(operators, key=lambda pair: describe_place(pair[1]))
    return ", ".join(", ".join(step.name for step, _ in group) + where for where, group in groups)


def check_quantizer(layer: Layer, model: tf.keras.Model) -> list[str]:
    """Says why the input quantizer of a layer gives other numbers than the signs; or nothing."""
    if reads_sign_only(layer):
        return []
    quantizer = describe_quantizer(layers.get_input_quantizer(layer))
    values = _compute_values(layer, model)
    if values is not None and not _consists_of(values, (-1, 1)):
        return [_describe_values(values, quantizer)]
    return [f"its input quantizer {quantizer} is no sign by itself; give it one that is."]
