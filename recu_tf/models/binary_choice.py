"""Which layers of a plain Keras model become binary, and why the others do not."""

import math
from collections.abc import Iterable

import tensorflow as tf

from recu_tf.models.layer_calls import Call, Flow, has_kernel, is_sum

__all__ = ["FIRST_AND_LAST", "choose_binary", "read_skip"]

Layer = tf.keras.layers.Layer
L = tf.keras.layers

FIRST_AND_LAST, FIRST, LAST, NONE = SKIP = ("first and last", "first", "last", "none")

SEPARABLE = (L.SeparableConv1D, L.SeparableConv2D)
CONVOLUTIONS = (L.Conv1D, L.Conv2D, *SEPARABLE)
# Of Larq Compute Engine and the delegate: input channels of a group are packed into such words.
WORD = 32
# A separable convolution runs as one binary convolution, with a bit for each pixel of the depthwise
# kernel in the place of each weight of the pointwise kernel; with more, it is no faster.
DEPTHWISE_PIXELS = 16


def read_skip(skip: str | Iterable[str], flow: Flow) -> str | list[str]:
    """What to leave real, a word of `SKIP` or the names of layers.

    Raises:
        ValueError: `skip` is neither, or no layer with a kernel has such a name.
    """
    if isinstance(skip, str):
        if skip not in SKIP:
            raise ValueError(
                f"`skip` must be one of {', '.join(map(repr, SKIP))}, or a list of names of layers,"
                f" got {skip!r}."
            )
        return skip
    if not isinstance(skip, Iterable) or isinstance(skip, bytes):
        raise ValueError(
            f"`skip` must be one of {', '.join(map(repr, SKIP))}, or a list of names of layers, got"
            f" {type(skip).__name__}."
        )
    names = list(skip)
    known = list(dict.fromkeys(call.layer.name for call in flow.calls if has_kernel(call.layer)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"`skip` must name layers that have a kernel, {', '.join(known)}, got "
            f"{', '.join(map(repr, unknown))}."
        )
    return names


def choose_binary(
    flow: Flow, skip: str | list[str], *, dense: bool
) -> tuple[list[Layer], dict[str, str]]:
    """The layers that become binary.

    Args:
        flow: of the model.
        skip: from `read_skip`.
        dense: whether dense layers become binary too.

    Returns:
        The layers, and for each other layer that has a kernel, by its name, why it stays real.
    """
    layers = {id(call.layer): call.layer for call in flow.calls if has_kernel(call.layer)}
    left_out = _find_left_out(flow, skip)
    reasons = {
        key: left_out.get(key) or _find_obstacle(layer, flow.find_calls(layer), dense=dense)
        for key, layer in layers.items()
    }
    chosen = [layers[key] for key, reason in reasons.items() if reason is None]
    return chosen, {layers[key].name: reason for key, reason in reasons.items() if reason}


def _find_left_out(flow: Flow, skip: str | list[str]) -> dict[int, str]:
    """Why layers are left out as `skip` says, by their ids."""
    if not isinstance(skip, str):
        named = (call.layer for call in flow.calls if call.layer.name in skip)
        return {id(layer): "is named in `skip`" for layer in named}
    found = {}
    if skip != NONE:
        found |= {id(layer): "projects a shortcut" for layer in _find_projections(flow)}
    if skip in (FIRST, FIRST_AND_LAST):
        found |= {id(layer): "is a first layer" for layer in _find_ends(flow.calls)}
    if skip in (LAST, FIRST_AND_LAST):
        last = _find_ends(flow.calls, backwards=True)
        found |= {id(layer): "is a last layer" for layer in last}
    return found


def _find_obstacle(layer: Layer, calls: list[Call], *, dense: bool) -> str | None:
    """Why a layer with a kernel would not run as a binary operator, or should not; None if it does.

    Classes derived from those of Keras may compute anything, so that they stay as they are.
    """
    if type(layer) is L.Dense:
        return None if dense and _count_inputs(layer) > 1 else "is dense"
    if type(layer) not in CONVOLUTIONS:
        return f"is a {type(layer).__name__}"
    if layer.data_format != "channels_last":
        return "has its channels first"
    if all(math.prod(size or 2 for size in call.shapes[0][1:-1]) == 1 for call in calls):
        return "reads single pixels"
    if isinstance(layer, SEPARABLE):
        pixels = math.prod(layer.kernel_size)
        if pixels == 1 or pixels > DEPTHWISE_PIXELS:
            return f"has depthwise kernels of {pixels} pixels"
    if layer.groups > 1 and layer.kernel.shape[-2] % WORD:
        return f"has groups of {layer.kernel.shape[-2]} channels"
    return "has one weight in each filter" if _count_inputs(layer) == 1 else None


def _count_inputs(layer: Layer) -> int:
    """How many weights a filter has."""
    kernel = layer.pointwise_kernel if isinstance(layer, SEPARABLE) else layer.kernel
    return math.prod(kernel.shape[:-1])


def _find_ends(calls: list[Call], *, backwards: bool = False) -> list[Layer]:
    """The layers with a kernel in front of which, or behind which, there is no other on any way."""
    reached, found = set(), []
    for call in reversed(calls) if backwards else calls:
        ends = (call.outputs, call.inputs) if backwards else (call.inputs, call.outputs)
        is_reached = not reached.isdisjoint(ends[0])
        if has_kernel(call.layer) and not is_reached:
            found.append(call.layer)
        if has_kernel(call.layer) or is_reached:
            reached.update(ends[1])
    return found


def _find_projections(flow: Flow) -> list[Layer]:
    """The 1x1 convolutions that stand on a shortcut around other layers with a kernel.

    Such a layer gives a term of a sum, and another term is computed from what it reads, not from
    what it gives, by way of other kernels. A 1x1 convolution whose input is itself the other term
    is no projection: the shortcut goes around it.
    """
    found = []
    for call in flow.calls:
        if not is_sum(call):
            continue
        for term in call.inputs:
            producer = flow.find_source(term)
            if producer is None or not _is_pointwise(producer.layer):
                continue
            read = set(flow.trace_back(producer.inputs[0]))
            for other in set(call.inputs) - {term}:
                ancestors = flow.find_ancestors(other)
                passes_kernels = read.isdisjoint(flow.trace_back(other))
                if passes_kernels and ancestors.isdisjoint(producer.outputs) and read & ancestors:
                    found.append(producer.layer)
    return found


def _is_pointwise(layer: Layer) -> bool:
    return isinstance(layer, (L.Conv1D, L.Conv2D)) and set(layer.kernel_size) == {1}
