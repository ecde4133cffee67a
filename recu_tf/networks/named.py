"""Networks that have a name and no file of their own."""

import os
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from recu_tf import choices, models
from recu_tf.models import zoo, zoo_weights

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
            images, and without `weights` the number of classes. None means cifar10, or imagenet for
            a network of larq-zoo and where that is the only variant.
        weights: for a network of larq-zoo, see `recu_tf.models.zoo.build`. The network is then
            larq-zoo's own, and has as many classes as the weights.
        untrained: whether a network with fresh weights will do, if none are given.

    Raises:
        ImportError, OSError, ValueError: see `recu_tf.models.build` and `recu_tf.models.zoo.build`;
            or no weights are given where they are needed, or they are for another network.
    """
    if dataset is None:
        small = name in models.CIFAR_NETWORKS
        dataset = choices.CIFAR10 if small else choices.IMAGENET
    if weights is None and not untrained:
        hint = "its `weights` must be given" if name in choices.ZOO_MODELS else "name a trained one"
        raise ValueError(f"{name} is the name of a network without trained weights; {hint}.")
    if weights is None:
        return NamedNetwork(models.build(name, dataset), dataset)
    if name not in choices.ZOO_MODELS:
        raise ValueError(f"`weights` is for the networks of larq-zoo, {name} is none.")
    if weights == zoo_weights.IMAGENET:
        _check_published_images(dataset)
    models.check_name(name, dataset)
    if weights == zoo_weights.IMAGENET:
        classes = {}
    else:
        classes = {"num_classes": zoo_weights.count_classes(zoo_weights.read_layers(weights))}
    model = zoo.build(
        name.removeprefix(choices.ZOO_PREFIX),
        input_shape=models.get_input_shape(dataset),
        weights=weights if weights == zoo_weights.IMAGENET else Path(weights),
        **classes,
    )
    return NamedNetwork(model, dataset)


def _check_published_images(dataset: str) -> None:
    """Raises a ValueError unless the images of a data set are as large as those of ImageNet."""
    if models.get_input_shape(dataset) != zoo.PUBLISHED_SHAPE:
        height, width, _ = zoo.PUBLISHED_SHAPE
        raise ValueError(
            f"`dataset` must be imagenet, or another of {zoo.PUBLISHED_CLASSES} classes with "
            f'images of {height}x{width}, for `weights` "{zoo_weights.IMAGENET}", got {dataset}.'
        )
