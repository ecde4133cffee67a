"""The networks that are measured, by their names on the command line and on the page."""

import tensorflow as tf

from recu_tf import choices, models

__all__ = ["CIFAR", "IMAGENET", "ZOO", "build_network", "list_networks", "name_network"]

PREFIX = "imagenet/"
CIFAR = {
    choices.RESNET20: "ResNet-20",
    choices.RESNET18A: "ResNet-18A",
    choices.RESNET18B: "ResNet-18B",
    choices.RESNET18C: "ResNet-18C",
    choices.RESNET18: "ResNet-18",
    choices.VGG_SMALL: "VGG-small",
}
IMAGENET = {
    f"{PREFIX}{choices.RESNET18}": "ResNet-18, ImageNet",
    f"{PREFIX}{choices.TWO_STAGE_RESNET18}": "two-stage ResNet-18",
    f"{PREFIX}{choices.RESNET34}": "ResNet-34, ImageNet",
    f"{PREFIX}{choices.TWO_STAGE_RESNET34}": "two-stage ResNet-34",
}
# Those of larq-zoo that are measured unless others are named.
ZOO = tuple(f"{choices.ZOO_PREFIX}{name}" for name in ("QuickNet", "BiRealNet", "BinaryDenseNet28"))


def list_networks() -> list[str]:
    """The names of all networks that can be measured."""
    return [*CIFAR, *IMAGENET, *(f"{choices.ZOO_PREFIX}{name}" for name in choices.ZOO_NETWORKS)]


def name_network(network: str) -> str:
    """The name of a network on the page.

    Args:
        network: one of `list_networks()`.
    """
    return {**CIFAR, **IMAGENET}.get(network) or network.removeprefix(choices.ZOO_PREFIX)


def build_network(network: str, precision: str = choices.BINARY) -> tf.keras.Model:
    """Builds a network with random weights: no time depends on them.

    Args:
        network: one of `list_networks()`; one of larq-zoo has ReCU.
        precision: see `recu_tf.models.build`.

    Raises:
        ImportError: larq-zoo is not installed and the network is one of its.
    """
    dataset = choices.CIFAR10 if network in CIFAR else choices.IMAGENET
    return models.build(network.removeprefix(PREFIX), dataset=dataset, precision=precision)
