"""Rewrites a model before the conversion, in passes that are verified to keep its outputs.

The passes change a model so that Larq Compute Engine's converter makes a correct file of it, or a
better one. None may change what the model computes: the outputs on real images are compared before
and after, and a pass that changes them is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.convolving import make_convolutions
from export.conversion.rewriting.float32 import find_other_precisions, make_float32
from export.conversion.rewriting.freeze import freeze_kernels
from export.conversion.rewriting.hard_tanh import drop_hard_tanh
from export.conversion.rewriting.large_factors import keep_factors_apart
from export.conversion.rewriting.padding import pad_exactly
from export.conversion.rewriting.pooling import normalise_before_pools
from export.conversion.rewriting.same_padding import drop_empty_padding
from export.conversion.rewriting.wide_kernels import pad_wide_kernels
from export.keras_graph.building import build_model
from export.keras_graph.differences import compute_share_within
from export.keras_graph.graph import Graph, is_graph, read_graph
from export.keras_graph.inputs_outputs import Inputs, predict, take_first
from recu_tf.messages import format_count
from recu_tf.precision import use_precision
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["Rewriting", "float32_model", "rewrite"]

# In this order: what becomes a convolution is then rewritten like any other, the kernels that are
# negated or rotated are frozen, and a batch norm changes places with a pool only if nothing stands
# between it and the signs. It is kept out of a convolution from where it stands then, before other
# passes put that convolution into a layer. Each edits a graph and returns the names of the layers
# that it replaced or, to keep them apart, changed the inputs of.
PASSES: dict[str, Callable[[Graph], list[str]]] = {
    "make binary layers convolutions of images": make_convolutions,
    "freeze quantized kernels": freeze_kernels,
    "drop hard tanh before a sign": drop_hard_tanh,
    "normalise before max-pools": normalise_before_pools,
    "keep large factors out of binary convolutions": keep_factors_apart,
    "pad strided convolutions exactly": pad_exactly,
    "write a padding SAME of nothing as VALID": drop_empty_padding,
    "pad kernels wider than their map with ones": pad_wide_kernels,
}
# The passes move and negate numbers and do not round, but TensorFlow may add up a float convolution
# in another order. That may flip a sign of a value within rounding of 0 and change the outputs of
# an image now and then, while a wrong pass changes those of all images.
TOLERANCE = 1e-5
SHARE = 0.75
IMAGES = 8


@dataclass(frozen=True)
class Rewriting:
    """What a pass rewrote, and whether the outputs stayed the same.

    Attributes:
        name: what it does.
        layers: the names of the layers that it replaced.
        share_within: share of images whose outputs changed by at most 1e-5 of the largest, after
            this pass and those before it; the least share of several outputs.
    """

    name: str
    layers: tuple[str, ...]
    share_within: float

    @property
    def kept(self) -> bool:
        """Whether the outputs stayed the same, so that the pass was kept."""
        return self.share_within >= SHARE

    def __str__(self) -> str:
        if self.kept:
            return f"{self.name}: {format_count(len(self.layers), 'layer')}, outputs unchanged"
        return f"{self.name}: not done, it changed the outputs ({', '.join(self.layers)})"


@preserve_quantized_scope()
@use_precision("float32")
def float32_model(model: tf.keras.Model) -> tf.keras.Model:
    """Rebuilds a model in float32; returns the model itself if it is in float32 already.

    Raises:
        ValueError: it has another precision and cannot be rebuilt.
    """
    policies = find_other_precisions(model)
    if not policies:
        return model
    inputs = [tensor.dtype.name for tensor in model.inputs or [] if tensor.dtype.is_floating]
    if set(inputs) - {"float32"}:
        reason = f"its input is in {', '.join(inputs)}"
    elif is_graph(model):
        try:
            graph = read_graph(model)
            for inner in graph.list_graphs():
                make_float32(inner)
            return build_model(graph)
        except (NotImplementedError, TypeError, ValueError) as error:
            reason = str(error)
    else:
        reason = "it is a subclass of Model, whose layers only its code knows"
    raise ValueError(
        f"`model` must be in float32 to be converted, got {', '.join(policies)}, and it cannot be "
        f"rebuilt: {reason}."
    )


@preserve_quantized_scope()
@use_precision("float32")
def rewrite(model: tf.keras.Model, images: Inputs) -> tuple[tf.keras.Model, list[Rewriting]]:
    """Rewrites a model for the converter.

    Args:
        model: in float32. A model that is no graph of layers, or has a layer that cannot be copied,
            is returned as it is.
        images: (count, height, width, channels), inputs of the model, or a list of arrays for
            several inputs; the outputs are compared on the first few rows.

    Returns:
        The rewritten model, and a `Rewriting` for each pass that found something to do.
    """
    if not is_graph(model):
        return model, []
    images = take_first(images, IMAGES)
    expected = predict(model, images)  # without tracing, which would take longer for one call
    try:
        graph, found = _edit(model, PASSES)
        if not found:
            return model, []
        rewritten = build_model(graph)
        share = _measure_share_within(predict(rewritten, images), expected)
        if share >= SHARE:
            return rewritten, [Rewriting(name, layers, share) for name, layers in found.items()]
        return _rewrite_one_by_one(model, images, expected)
    except (NotImplementedError, TypeError, ValueError):
        return model, []  # a layer cannot be copied


def _edit(model: tf.keras.Model, passes: Iterable[str]) -> tuple[Graph, dict[str, tuple[str, ...]]]:
    """Applies some passes to the graph of a model.

    Returns:
        The graph, and the names of the layers that each pass replaced.
    """
    graph, found = read_graph(model), {}
    for name in passes:
        layers = [layer for inner in graph.list_graphs() for layer in PASSES[name](inner)]
        if layers:
            found[name] = tuple(layers)
    return graph, found


def _rewrite_one_by_one(
    model: tf.keras.Model, images: Inputs, expected: list[np.ndarray]
) -> tuple[tf.keras.Model, list[Rewriting]]:
    """Rewrites a model pass by pass, without the passes that change the outputs."""
    kept: list[str] = []
    rewritings = []
    for name in PASSES:
        graph, found = _edit(model, [*kept, name])
        if name not in found:
            continue
        candidate = build_model(graph)
        share = _measure_share_within(predict(candidate, images), expected)
        rewritings.append(Rewriting(name, found[name], share))
        if rewritings[-1].kept:
            kept.append(name)
            rewritten = candidate
    return rewritten if kept else model, rewritings


def _measure_share_within(outputs: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Measures the share of images whose output stayed the same; the least of several outputs."""
    return min(map(_measure_share_unchanged, outputs, expected))


def _measure_share_unchanged(output: np.ndarray, expected: np.ndarray) -> float:
    if output.shape != expected.shape:
        return 0.0
    largest = np.abs(expected).max(initial=0.0, where=np.isfinite(expected))
    # Numbers that are not finite must stay the same.
    same = np.isclose(output, expected, rtol=0, atol=0, equal_nan=True)
    output, expected = np.where(same, 0, output), np.where(same, 0, expected)
    return compute_share_within(output, expected, TOLERANCE * largest)
