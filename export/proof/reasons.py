"""Finds why a layer with binary quantizers is not binary in the file, and what to change.

Nothing is guessed: each reason was read from the file or computed with the model. The converter
requires of a binary convolution: an input through a sign that it recognises, with nothing between;
a constant kernel of one magnitude in each filter; zeros or ones as padding; and where there are
groups, multiples of 32 channels in each.
"""

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.equivalents import find_obstacle, has_equivalent
from export.keras_graph import binary_layers as layers
from export.keras_graph.kernel_faults import NOT_FINITE, find_group_faults, find_kernel_faults
from export.proof.input_reasons import (
    BITS,
    check_input,
    check_quantizer,
    describe_quantizer,
    trace_input,
)
from export.proof.mapping import KERNEL_INPUT, has_filters_of
from export.tflite.file import BINARY_CONVOLUTION, File, Operator

__all__ = ["find_reason"]

Layer = tf.keras.layers.Layer


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
    names = [titles.get(id(owner), "") for owner in owners]
    if has_equivalent(layer):
        return _explain_equivalent(layer, titles[id(layer)], wrong, file, names, model, target)
    if not _is_convolution(layer):
        kind = type(layer).__name__
        return f"the engine has no binary form of {kind}; only of two-dimensional convolutions."
    operator = wrong[0]
    chain = trace_input(operator, file, names)
    found = [
        *_check_kernel_is_constant(layer, operator),
        *find_kernel_faults(layer),
        *find_group_faults(layers.compute_filters(layer).shape[-1], layer.groups),
        *_check_padding(layer, target),
    ]
    # Where the sign stands right before the convolution, what was found is enough; to look at the
    # values takes a run of the model.
    if not found or not chain or chain[0][0].name not in BITS:
        found += check_input(layer, titles[id(layer)], operator, chain, model)
    return " ".join(found) if found else _describe_operators(operator, chain)


def _explain_equivalent(
    layer: Layer,
    title: str,
    operators: list[Operator],
    file: File,
    names: list[str],
    model: tf.keras.Model,
    target: str,
) -> str:
    """Explains why a layer is not the binary convolution that it could be."""
    chains = [trace_input(operator, file, names) for operator in operators]
    found = [
        *(
            reason
            for operator in operators
            for reason in _check_kernel_is_constant(layer, operator)
        ),
        *filter(None, [find_obstacle(layer)]),
        *_check_padding(layer, target),
    ]
    found = found or check_quantizer(layer, model)
    if not found and chains and not any(step.name in BITS for step, _ in chains[0]):
        found += check_input(layer, title, operators[0], chains[0], model)
    return " ".join(found) or (
        f"the engine has no binary form of {type(layer).__name__}; `export.rewrite` makes a "
        "convolution of it before the conversion."
    )


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
    quantizer = describe_quantizer(layers.get_kernel_quantizers(layer)[0])
    return [
        f"its kernel is computed anew in every run; the kernel quantizer {quantizer} may depend on "
        "the kernel alone, on no random numbers and no input."
    ]


def _check_padding(layer: Layer, target: str) -> list[str]:
    # Measured: of the same layer, padded with ones or not at all, the converter makes a binary one.
    padding = getattr(layer, "padding", "valid")
    if target != "xcore" or padding != "same" or getattr(layer, "pad_values", 0) != 0:
        return []
    return [
        "it is padded with zeros, with which the target xcore has no binary convolution; pad with "
        "ones (`pad_values=1`) or not at all, and train it so."
    ]


def _describe_operators(operator: Operator, chain: list[tuple[Operator, str]]) -> str:
    around = " <- ".join(
        f"{step.name} {_format_shapes(step)}" for step in (operator, *(step for step, _ in chain))
    )
    return f"the reason is not known. The operators before it, the last first: {around}."


def _format_shapes(operator: Operator) -> str:
    return ", ".join(f"{tensor.dtype}{list(tensor.shape)}" for tensor in operator.outputs)
