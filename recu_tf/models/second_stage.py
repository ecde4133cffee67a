"""From real kernels to binary ones: what the second of two stages starts from."""

import tensorflow as tf

from recu_tf import choices
from recu_tf.layers import ChannelScale
from recu_tf.models.registry import build_untrained, get_variant

__all__ = ["build_second_stage"]


def build_second_stage(network: tf.keras.Model, name: str, dataset: str) -> tf.keras.Model:
    """Builds the binary network of a network with real kernels, with its weights.

    The weights are copied by name. The real kernels become latent weights, which `ReCU` centres
    from the first step on. The alphas start anew, because those of real kernels fit no signs. The
    temperatures, which only the binary network has, start as `ReCU` sets them.

    Args:
        network: from `recu_tf.models.build` with the same `name` and `dataset` and a precision
            other than "binary", trained.
        name: one of `MODELS`.
        dataset: one of `DATASET_CLASSES`.

    Returns:
        An uncompiled network of the same shapes, padding and rotation.

    Raises:
        ValueError: the kernels are binary already, or a tensor of either network finds no place in
            the other.
    """
    variant = get_variant(network)
    if variant["precision"] == choices.BINARY:
        raise ValueError(
            f"`network` must have real kernels, got {network.name!r} with binary ones."
        )
    copy = build_untrained(name, dataset, **{**variant, "precision": choices.BINARY})
    values, places = _list_copied(network), _list_copied(copy)
    without_place = [
        f"{key} {tuple(values[key].shape)}"
        for key in values
        if key not in places or places[key].shape != values[key].shape
    ]
    if without_place:
        raise ValueError(
            f"`network` must be a {name} for {dataset}, got tensors that have no place in it: "
            f"{', '.join(without_place)}."
        )
    if missing := [key for key in places if key not in values]:
        raise ValueError(
            f"`network` must be a {name} for {dataset}, got no tensors for {', '.join(missing)}."
        )
    pairs = [(places[key], value.numpy()) for key, value in values.items()]
    tf.keras.backend.batch_set_value(pairs)
    return copy


def _list_copied(network: tf.keras.Model) -> dict[str, tf.Variable]:
    """All weights but alphas and temperatures, by the names of their layers and their own."""
    found = {}
    for layer in network.layers:
        if isinstance(layer, ChannelScale):
            continue
        quantizer = getattr(layer, "kernel_quantizer", None)
        left_out = {id(weight) for weight in getattr(quantizer, "weights", ())}
        for weight in layer.weights:
            if id(weight) not in left_out:
                # In a file, weights have no names; loaded from it, they lack their layer's.
                own_name = weight.name.split("/")[-1].split(":")[0]
                found[f"{layer.name}/{own_name}"] = weight
    return found
