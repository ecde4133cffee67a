"""What a model is made into before it is converted, each step proved to keep its outputs.

The steps change a model so that Larq Compute Engine's converter makes a better file of it, or one
that is right. None changes what the model computes: after each, the outputs on real images are
compared with those before it, and a step that changes them is left out.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.conversion.rewriting.float32 import float32_policy, in_float32, other_precision
from export.conversion.rewriting.freeze import freeze_kernels
from export.conversion.rewriting.hard_tanh import drop_hard_tanh
from export.conversion.rewriting.padding import exact_padding
from export.conversion.rewriting.pooling import pool_last
from export.conversion.rewriting.wide_kernels import pad_wide_kernels
from export.keras_graph.clone import is_graph, planned, rebuilt
from export.keras_graph.inputs_outputs import Inputs, first, predict
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["Step", "float32_model", "rewrite"]

# In this order: what is turned over or turned around are frozen kernels, and a batch norm changes
# places with a pool only if nothing stands between it and the signs.
STEPS = {
    "freeze quantized kernels": freeze_kernels,
    "drop hard tanh before a sign": drop_hard_tanh,
    "normalise before max-pools": pool_last,
    "pad strided convolutions exactly": exact_padding,
    "pad kernels wider than their map with ones": pad_wide_kernels,
}
# The steps move and negate numbers, they do not round: what is left is that TensorFlow may add up
# a float convolution in another order. That may turn a sign that is within rounding of 0, and so
# may change an image now and then, while a wrong step changes them all.
TOLERANCE = 1e-5
SHARE = 0.75
IMAGES = 8


@dataclass(frozen=True)
class Step:
    """A rewriting step and its proof.

    Attributes:
        name: what it does.
        layers: the names of the layers that it replaced.
        share_within: share of images whose outputs it left within 1e-5 of the largest; of several
            outputs that with the least.
    """

    name: str
    layers: tuple[str, ...]
    share_within: float

    @property
    def kept(self) -> bool:
        """Whether the outputs stayed the same, so that the step was taken."""
        return self.share_within >= SHARE

    def __str__(self) -> str:
        count = f"{len(self.layers)} layer{'s' if len(self.layers) != 1 else ''}"
        if self.kept:
            return f"{self.name}: {count}, outputs unchanged"
        return f"{self.name}: not done, it changed the outputs ({', '.join(self.layers)})"


@preserve_quantized_scope()
@float32_policy()
def float32_model(model: tf.keras.Model) -> tf.keras.Model:
    """The model itself, or the same in float32 if its precision is another.

    Raises:
        ValueError: it is of another precision and cannot be rebuilt.
    """
    policies = other_precision(model)
    if not policies:
        return model
    inputs = [one.dtype.name for one in model.inputs or [] if one.dtype.is_floating]
    if set(inputs) - {"float32"}:
        # A copy has the inputs of the model.
        reason = f"its input is in {', '.join(inputs)}"
    elif is_graph(model):
        try:
            return rebuilt(model, planned(model, in_float32))
        except (NotImplementedError, TypeError, ValueError) as error:
            reason = str(error)
    else:
        reason = "it is a subclass of Model, whose layers only its code knows"
    raise ValueError(
        f"`model` must be in float32 to be converted, got {', '.join(policies)}, and it cannot be "
        f"rebuilt: {reason}."
    )


@preserve_quantized_scope()
@float32_policy()
def rewrite(model: tf.keras.Model, images: Inputs) -> tuple[tf.keras.Model, list[Step]]:
    """Rewrites a model for the converter.

    Args:
        model: in float32. One that is no graph of layers is left as it is.
        images: (count, height, width, channels), what it takes, or a list of arrays for several
            inputs; the first few rows are the proof's.

    Returns:
        The rewritten model, and the steps that found something to do.
    """
    steps = []
    if not is_graph(model):
        return model, steps
    images = first(images, IMAGES)
    outputs = predict(model, images)  # Once only, so that tracing would take longer.
    for name, step in STEPS.items():
        try:
            plan = planned(model, step)
            touched = tuple(layer for changes in plan.values() for layer in changes.layers)
            if not touched:
                continue
            candidate = rebuilt(model, plan)
        except (NotImplementedError, TypeError, ValueError):
            # A layer that cannot be copied: the model is converted as it is.
            return model, steps
        shares = map(_share_within, predict(candidate, images), outputs)
        steps.append(Step(name, touched, min(shares)))
        if steps[-1].kept:
            model = candidate
    return model, steps


def _share_within(got: np.ndarray, expected: np.ndarray) -> float:
    if got.shape != expected.shape:
        return 0.0
    largest = np.abs(expected).max(initial=0.0, where=np.isfinite(expected))
    # What is not finite must stay what it is.
    close = np.isclose(got, expected, rtol=0, atol=TOLERANCE * largest, equal_nan=True)
    return float(close.reshape(len(got), -1).all(axis=1).mean())
