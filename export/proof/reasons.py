"""Finds why a layer with binary quantizers is not binary in the file, and what to change.

Nothing is guessed: each reason was read from the file or computed with the model. The converter
requires of a binary convolution: an input through a sign that it recognises, with nothing between;
a constant kernel of one magnitude in each filter; zeros or ones as padding; and where there are
groups, multiples of 32 channels in each.
"""

import itertools

import numpy as np
import tensorflow as tf

from export.keras_graph import binary_layers as layers
from export.proof.kernel_faults import NOT_FINITE, find_kernel_faults
from export.proof.mapping import KERNEL_INPUT, has_filters_of
from export.tflite.file import BINARY_CONVOLUTION, File, Operator, Tensor
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["find_reason"]

Layer = tf.keras.layers.Layer

SIGN_ADVICE = "the converter knows `lq.math.sign`, Larq's quantizers and `tf.where(x >= 0, 1, -1)`"
PAD_ADVICE = 'pad with padding="same" in the layer instead (pad_values 0 or 1).'
MOVE_ADVICE = "move it in front of the sign, or behind the convolution."
PADS = ("PAD", "PADV2", "MIRROR_PAD")
BITS = ("LceQuantize", "LceDequantize")
GROUP_CHANNELS = 32


def find_reason(
    layer: Layer,
    titles: dict[int, str],
    file: File,
    owners: list[Layer | None],
    model: tf.keras.Model,
    *,
    target: str = "arm",
) -> str | None:
    """Finds why a layer that should be binary is not, or not as the engine can run it.

    Args:
        layer: with binary quantizers.
        titles: what to call each layer, by its id.
        file: what the converter made of the model.
        owners: the layer of each operator of the file.
        model: the model.
        target: what the file is for, "arm" or "xcore".

    Returns:
        The reasons, one sentence after another, or None where the layer is binary.
    """
    own = [
        operator
        for operator, owner in zip(file.operators, owners, strict=True)
        if owner is layer and operator.name in KERNEL_INPUT
    ]
    if not own and _is_convolution(layer):
        # The converter makes one of two layers that compute the same.
        own = [operator for operator in file.operators if has_filters_of(operator, layer)]
        if not own:
            return "no operator of the file could be mapped to it."
    wrong = [operator for operator in own if operator.name != BINARY_CONVOLUTION]
    if own and not wrong:
        return _check_usable(layer, own)
    if not _is_convolution(layer):
        kind = type(layer).__name__
        return f"the engine has no binary form of {kind}; only of two-dimensional convolutions."
    names = [titles.get(id(owner), "") for owner in owners]
    operator = wrong[0]
    chain = _trace_input(operator, file, names)
    found = [
        *_check_kernel_is_constant(layer, operator),
        *find_kernel_faults(layer),
        *_check_groups(layer),
    ]
    found += _check_padding(layer, target)
    # Where the sign stands right before the convolution, what was found is enough; to look at the
    # values takes a run of the model.
    if not found or not chain or chain[0][0].name not in BITS:
        found += _check_input(layer, titles[id(layer)], operator, chain, model)
    return " ".join(found) if found else _describe_operators(operator, chain)


def _is_convolution(layer: Layer) -> bool:
    others = (tf.keras.layers.Conv2DTranspose, tf.keras.layers.DepthwiseConv2D)
    return (
        isinstance(layer, tf.keras.layers.Conv2D)
        and not isinstance(layer, others)
        and not hasattr(layer, "depthwise_kernel")
    )


def _check_usable(layer: Layer, operators: list[Operator]) -> str | None:
    if not np.isfinite(layers.get_latent_kernel(layer)).all():
        return NOT_FINITE
    for operator in operators:
        for tensor in operator.inputs[2:4]:
            if tensor is not None and len(tensor.shape) != 1:
                channels = tensor.shape[-1] if tensor.shape else "channels"
                return (
                    f"the scale or bias behind it has shape {tensor.shape}, with which the engine "
                    f"cannot load the file; give it shape ({channels},)."
                )
    return None


def _check_kernel_is_constant(layer: Layer, operator: Operator) -> list[str]:
    tensor = operator.inputs[KERNEL_INPUT[operator.name]]
    if tensor is not None and tensor.constant is not None:
        return []
    quantizer = _describe_quantizer(layers.get_kernel_quantizers(layer)[0])
    return [
        f"its kernel is computed anew in every run; the kernel quantizer {quantizer} may depend on "
        "the kernel alone, on no random numbers and no input."
    ]


def _check_padding(layer: Layer, target: str) -> list[str]:
    # Measured: of the same layer, padded with ones or not at all, the converter makes a binary one.
    if target != "xcore" or layer.padding != "same" or getattr(layer, "pad_values", 0) != 0:
        return []
    return [
        "it is padded with zeros, with which the target xcore has no binary convolution; pad with "
        "ones (`pad_values=1`) or not at all, and train it so."
    ]


def _check_groups(layer: Layer) -> list[str]:
    channels = layers.compute_filters(layer).shape[-1]
    if layer.groups == 1 or channels % GROUP_CHANNELS == 0:
        return []
    return [
        f"it has {channels} input channels in each of its {layer.groups} groups; there must be "
        f"a multiple of {GROUP_CHANNELS}, or one group."
    ]


def _trace_input(operator: Operator, file: File, names: list[str]) -> list[tuple[Operator, str]]:
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


def _check_input(
    layer: Layer,
    title: str,
    operator: Operator,
    chain: list[tuple[Operator, str]],
    model: tf.keras.Model,
) -> list[str]:
    quantizer = _describe_quantizer(layers.get_input_quantizer(layer))
    if layer.data_format == "channels_first":
        return ["its data format is channels_first, which puts transposes around it; use NHWC."]
    between = [(step, name) for step, name in chain if step.name not in ("SIGN", *BITS)]
    sign = next(((step, name) for step, name in chain if step.name in ("SIGN", *BITS)), None)
    known = sign is not None and sign[0].name in BITS
    own = [(step, name) for step, name in between if name == title]
    if any(step.name in PADS for step, _ in own) and getattr(layer, "pad_values", 0) not in (0, 1):
        return [f"its `pad_values` is {layer.pad_values}; the engine can pad with 0 or 1."]
    if known and len(own) < len(between):
        return [
            f"between the sign and the convolution stands {_list_operators(between, title)}; "
            + (PAD_ADVICE if any(step.name in PADS for step, _ in between) else MOVE_ADVICE)
        ]
    if known and layer.padding == "valid" and operator.options.get("padding") == "SAME":
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


def _describe_quantizer(quantizer) -> str:
    name = getattr(quantizer, "name", None) or getattr(quantizer, "__name__", "")
    return f"{name!r} ({type(quantizer).__name__})"


def _list_operators(operators: list[tuple[Operator, str]], title: str) -> str:
    def describe_place(name):
        if not name:
            return ""
        return " of its input quantizer" if name == title else f" of layer {name!r}"

    groups = itertools.groupby(operators, key=lambda pair: describe_place(pair[1]))
    return ", ".join(", ".join(step.name for step, _ in group) + where for where, group in groups)


def _describe_operators(operator: Operator, chain: list[tuple[Operator, str]]) -> str:
    around = " <- ".join(
        f"{step.name} {_format_shapes(step)}" for step in (operator, *(step for step, _ in chain))
    )
    return f"the reason is not known. The operators before it, the last first: {around}."


def _format_shapes(operator: Operator) -> str:
    return ", ".join(f"{tensor.dtype}{list(tensor.shape)}" for tensor in operator.outputs)
