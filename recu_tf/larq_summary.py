"""Larq's memory report of a network, without the temperatures of its quantizers."""

import larq as lq
import tensorflow as tf
from larq.models import LayerProfile, LayersTable, ModelProfile, SummaryTable

from recu_tf.quantizers import ReCU

__all__ = ["profile", "summary"]


def _forget(weights: set[int], layer: LayerProfile) -> None:
    """Takes weights, known by their `id`, out of a profile."""
    if isinstance(layer, ModelProfile):
        for part in layer.layer_profiles:
            _forget(weights, part)
        return
    if layer.op_profiles:  # one for each weight that is no bias
        multiplied = [weight for weight in layer.weight_profiles if not weight.is_bias()]
        layer.op_profiles = [
            operation
            for operation, weight in zip(layer.op_profiles, multiplied, strict=True)
            if id(weight._weight) not in weights
        ]
    layer.weight_profiles = [
        weight for weight in layer.weight_profiles if id(weight._weight) not in weights
    ]


def profile(model: tf.keras.Model) -> lq.models.ModelProfile:
    """Larq's counts of weights, memory and multiplications, without the temperature of each `ReCU`.

    Larq takes every weight of a layer that is no bias for one that is multiplied with at each
    output pixel. A temperature is a number of the training: it is multiplied with nothing, and no
    exported file holds it.

    Args:
        model: a built model.

    Raises:
        ValueError: the model is not built.
    """
    if not model.built:
        raise ValueError(f"`model` must be built, got {model.name!r}, which is not.")
    temperatures = {id(part.tau) for part in model.submodules if isinstance(part, ReCU)}
    counts = ModelProfile(model)
    _forget(temperatures, counts)
    return counts


def summary(model: tf.keras.Model) -> None:
    """Prints `profile` in Larq's two tables, as `larq.models.summary` prints its own.

    Args:
        model: a built model.

    Raises:
        ValueError: the model is not built.
    """
    counts = profile(model)
    print(LayersTable(counts.generate_table(), title=f"{model.name} stats").table)
    print(SummaryTable(counts.generate_summary(), title=f"{model.name} summary").table)
