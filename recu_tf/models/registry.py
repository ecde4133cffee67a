"""The published networks by name."""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from recu_tf import choices
from recu_tf.choices import MODELS
from recu_tf.layers import BinaryConv2D, Rotate180
from recu_tf.models import resnet, two_stage, vgg

__all__ = [
    "CIFAR_NETWORKS",
    "DATASET_CLASSES",
    "IMAGENET_NETWORKS",
    "MODELS",
    "build",
    "build_like",
    "get_networks",
]

CIFAR_NETWORKS = {
    choices.RESNET20: resnet.resnet20,
    choices.RESNET18: resnet.resnet18,
    **{
        name: partial(resnet.resnet18, stages=resnet.CIFAR_STAGES[name])
        for name in (choices.RESNET18A, choices.RESNET18B, choices.RESNET18C)
    },
    choices.VGG_SMALL: vgg.vgg_small,
}
IMAGENET_NETWORKS = {
    choices.RESNET18: resnet.imagenet_resnet18,
    choices.RESNET34: resnet.imagenet_resnet34,
    choices.TWO_STAGE_RESNET18: two_stage.two_stage_resnet18,
    choices.TWO_STAGE_RESNET34: two_stage.two_stage_resnet34,
}

# Number of classes; `folder` is whatever lies in a folder of images, one per class.
CIFAR_DATASETS = {choices.DIGITS: 10, choices.CIFAR10: 10, choices.CIFAR100: 100}
IMAGENET_DATASETS = {choices.IMAGENET: 1000, choices.TINYIMAGENET: 200, choices.FOLDER: None}
DATASET_CLASSES = {**CIFAR_DATASETS, **IMAGENET_DATASETS}


def get_networks(dataset: str) -> dict[str, Callable[..., tf.keras.Model]]:
    """The networks that there are for the images of a data set.

    Args:
        dataset: one of `DATASET_CLASSES`.

    Returns:
        Their builders by name.
    """
    return IMAGENET_NETWORKS if dataset in IMAGENET_DATASETS else CIFAR_NETWORKS


def build(
    name: str,
    dataset: str = "cifar10",
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    pad_values: float = 0,
    rotated: bool = False,
) -> tf.keras.Model:
    """Builds a network with fresh weights.

    Args:
        name: one of `MODELS`.
        dataset: one of `DATASET_CLASSES`; it decides the variant, the number of classes and the
            size of the images. `resnet18_1w1a` is one network for digits, cifar10 and cifar100,
            and another for imagenet, tinyimagenet and folder.
        num_classes: number of logits, if not that of the data set; a folder has no number of
            its own.
        input_shape: (height, width, channels) of the images, if not (32, 32, 3) or, for
            imagenet, tinyimagenet and folder, (224, 224, 3).
        pad_values: of the binary convolutions, 0 as published or 1.
        rotated: whether a ResNet turns the images by 180 degrees first, as weights from PyTorch
            need (`recu_tf.pytorch`); VGG-small is the same either way and never does.

    Returns:
        An uncompiled Keras model from upright, normalised images (batch, height, width, channels)
        to logits (batch, classes).

    Raises:
        ValueError: an unknown name or data set, a network that the data set has no variant of,
            fewer than two classes, or another `pad_values`.
    """
    if name not in MODELS:
        raise ValueError(f"`name` must be one of {', '.join(MODELS)}, got {name!r}.")
    if dataset not in DATASET_CLASSES:
        raise ValueError(f"`dataset` must be one of {', '.join(DATASET_CLASSES)}, got {dataset!r}.")
    large = dataset in IMAGENET_DATASETS
    networks = get_networks(dataset)
    if name not in networks:
        raise ValueError(
            f"`name` must be one of {', '.join(networks)} for {dataset}, got {name!r}."
        )
    if num_classes is None:
        num_classes = DATASET_CLASSES[dataset]
    if num_classes is None or num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2, got {num_classes}.")
    if input_shape is None:
        input_shape = (224, 224, 3) if large else (32, 32, 3)
    variant = {"rotated": True} if rotated and name != choices.VGG_SMALL else {}
    return networks[name](input_shape, num_classes, pad_values, name=name, **variant)


def build_like(network: tf.keras.Model, name: str, dataset: str) -> tf.keras.Model:
    """Builds a network again, under the precision policy and strategy in force now.

    Args:
        network: from `build` with the same `name` and `dataset`, trained or imported.
        name: one of `MODELS`.
        dataset: one of `DATASET_CLASSES`.

    Returns:
        A network of the same shapes, padding and rotation, with the same weights.

    Raises:
        ValueError: the network is another than `name` for `dataset`.
    """
    padding = {one.pad_values for one in network.layers if isinstance(one, BinaryConv2D)}
    again = build(
        name,
        dataset,
        num_classes=network.output_shape[-1],
        input_shape=network.input_shape[1:],
        pad_values=max(padding, default=0),
        rotated=any(isinstance(one, Rotate180) for one in network.layers),
    )
    weights = network.get_weights()
    if [w.shape for w in weights] != [tuple(w.shape) for w in again.weights]:
        raise ValueError(f"`network` must be a {name} for {dataset}, got {network.name!r}.")
    again.set_weights(weights)
    return again
