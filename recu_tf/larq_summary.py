"""Larq's summary of a network, without the temperatures of its quantizers.

Examples:
    >>> model = tf.keras.Sequential(name="mine")
    >>> model.add(lq.layers.QuantDense(2, kernel_quantizer="recu", input_shape=(8,)))
    >>> recu_tf.larq_summary.profile(model).weight_count()  # 16 of the kernel, 2 of the bias
    18
    >>> recu_tf.larq_summary.summary(model)
    +mine stats...
    | Layer ...
"""

import larq as lq
import tensorflow as tf
from larq.models import LayerProfile, LayersTable, ModelProfile, SummaryTable

from recu_tf.quantizers import ReCU

__all__ = ["profile", "summary"]


def _remove_weights(weights: set[int], layer: LayerProfile) -> None:
    """Removes weights, given by their `id`, from a profile."""
    if isinstance(layer, ModelProfile):
        for inner in layer.layer_profiles:
            _remove_weights(weights, inner)
        return
    if layer.op_profiles:  # as many as weights that are not biases
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

    Larq counts a multiplication at each output pixel for every weight of a layer that is not a
    bias. A temperature is used in training only: nothing is multiplied by it, and no exported file
    holds it.

    Args:
        model: a built model.

    Raises:
        ValueError: the model is not built.
    """
    if not model.built:
        raise ValueError(f"`model` must be built, got {model.name!r}, which is not built.")
    temperatures = {id(module.tau) for module in model.submodules if isinstance(module, ReCU)}
    counts = ModelProfile(model)
    _remove_weights(temperatures, counts)
    return counts


def summary(model: tf.keras.Model) -> None:
    """Prints `profile` in the two tables of `larq.models.summary`.

    Args:
        model: a built model.

    Raises:
        ValueError: the model is not built.
    """
    counts = profile(model)
    print(LayersTable(counts.generate_table(), title=f"{model.name} stats").table)
    print(SummaryTable(counts.generate_summary(), title=f"{model.name} summary").table)
