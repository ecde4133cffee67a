"""Networks that have a name and no file of their own."""

import os
from typing import NamedTuple

import tensorflow as tf

from recu_tf import choices, models, pretrained

__all__ = ["NamedNetwork", "build_named_network"]


class NamedNetwork(NamedTuple):
    """A network, and the data set that decided its images."""

    model: tf.keras.Model
    dataset: str


def build_named_network(
    name: str,
    *,
    dataset: str | None = None,
    weights: str | os.PathLike | None = None,
    untrained: bool = False,
) -> NamedNetwork:
    """Builds the network of a name.

    Args:
        name: one of `recu_tf.models.NETWORK_NAMES`.
        dataset: one of `recu_tf.data.DATASETS`, which decides the variant and the size of the
            images, and without `weights` the number of classes. None means the one that `weights`
            names, or else cifar10, or imagenet for a network of larq-zoo and where that is the only
            variant.
        weights: see `recu_tf.models.build`. A network of larq-zoo is then larq-zoo's own, and has
            as many classes as the weights.
        untrained: whether a network with fresh weights will do, if none are given.

    Raises:
        ImportError, OSError, ValueError: see `recu_tf.models.build`; or no weights are given
            where they are needed.
    """
    if dataset is None and weights in choices.DATASETS and name not in choices.ZOO_MODELS:
        return NamedNetwork(models.build(name, weights=weights), weights)
    if dataset is None:
        small = name in models.CIFAR_NETWORKS
        dataset = choices.CIFAR10 if small else choices.IMAGENET
    if weights is None and not untrained:
        raise ValueError(
            f"{name} is the name of a network without trained weights; {_advise(name)}."
        )
    return NamedNetwork(models.build(name, dataset, weights=weights), dataset)


def _advise(name: str) -> str:
    """What to give for a name alone."""
    if name in choices.ZOO_MODELS:
        return "its `weights` must be given"
    trained = [entry for entry in pretrained.list_all().values() if entry.model == name]
    weights = " or ".join(entry.dataset for entry in trained)
    return f"its `weights` must be given: {weights}" if trained else "name a trained one"
