"""Data sets by name: what they are, and their images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from recu_tf.data.batches import Normalization, test_batches, training_batches
from recu_tf.data.cifar import load_cifar
from recu_tf.data.digits import load_digits

__all__ = ["DATASETS", "Dataset", "Normalization", "load", "test_batches", "training_batches"]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read.

    Attributes:
        class_names: in the order of the labels.
        normalization: of its pixels.
        flip: whether a mirrored image is still of its class.
        read: from split and data path to uint8 images and int64 labels.
    """

    class_names: tuple[str, ...]
    normalization: Normalization
    flip: bool
    read: Callable[[str, str | None], tuple[np.ndarray, np.ndarray]]


DATASETS = {
    "digits": Dataset(
        class_names=tuple("0123456789"),
        # Measured on the training images; the three channels are the same.
        normalization=Normalization(mean=(0.305,) * 3, std=(0.324,) * 3),
        flip=False,
        read=lambda split, data_path: load_digits(split),
    ),
    "cifar10": Dataset(
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        normalization=Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        flip=True,
        read=partial(load_cifar, "cifar10"),
    ),
}


def load(name: str, split: str, data_path: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of a data set into memory.

    Args:
        name: one of `DATASETS`.
        split: "train" or "test".
        data_path: where the data set lies, or is to be put; `digits` has no need of it.

    Returns:
        uint8 images (count, height, width, channels) and int64 labels (count,).

    Raises:
        ValueError: an unknown name or split.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    if name not in DATASETS:
        raise ValueError(f"`dataset` must be one of {', '.join(DATASETS)}, got {name!r}.")
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be train or test, got {split!r}.")
    return DATASETS[name].read(split, data_path)
