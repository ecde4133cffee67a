"""The published networks by name."""

from functools import partial

import tensorflow as tf

from recu_tf.models.resnet import resnet18, resnet20
from recu_tf.models.vgg import vgg_small

__all__ = ["DATASET_CLASSES", "MODELS", "build", "resnet18", "resnet20", "vgg_small"]

INPUT_SHAPE = (32, 32, 3)

MODELS = {
    "resnet20_1w1a": resnet20,
    "resnet18_1w1a": resnet18,
    "resnet18A_1w1a": partial(resnet18, widths=(32, 32, 64, 128)),
    "resnet18B_1w1a": partial(resnet18, widths=(32, 64, 128, 256)),
    "resnet18C_1w1a": partial(resnet18, widths=(64, 64, 128, 256)),
    "vgg_small_1w1a": vgg_small,
}

DATASET_CLASSES = {"digits": 10, "cifar10": 10, "cifar100": 100}


def build(name: str, dataset: str = "cifar10", num_classes: int | None = None) -> tf.keras.Model:
    """Builds a network with fresh weights.

    Args:
        name: one of `MODELS`.
        dataset: one of `DATASET_CLASSES`; it decides the variant and the number of classes.
        num_classes: number of logits, if not that of the data set.

    Returns:
        An uncompiled Keras model from upright, normalised images (batch, 32, 32, 3) to logits
        (batch, classes).

    Raises:
        ValueError: an unknown name or data set, or fewer than two classes.
    """
    if name not in MODELS:
        raise ValueError(f"`name` must be one of {', '.join(MODELS)}, got {name!r}.")
    if dataset not in DATASET_CLASSES:
        raise ValueError(f"`dataset` must be one of {', '.join(DATASET_CLASSES)}, got {dataset!r}.")
    if num_classes is None:
        num_classes = DATASET_CLASSES[dataset]
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2, got {num_classes}.")
    return MODELS[name](INPUT_SHAPE, num_classes, name=name)
