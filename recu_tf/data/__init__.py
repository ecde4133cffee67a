"""Data sets by name: what they are, and their images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from recu_tf.data.batches import Normalization, test_batches, training_batches
from recu_tf.data.cifar import load_cifar
from recu_tf.data.digits import load_digits
from recu_tf.data.files import folder_files, tiny_imagenet_files
from recu_tf.data.names import CIFAR10, CIFAR100
from recu_tf.data.streams import (
    Encoded,
    encoded_files,
    encoded_imagenet,
    shorter_side_crop,
    streamed_batches,
    whole_image,
)

__all__ = [
    "DATASETS",
    "Dataset",
    "Normalization",
    "evaluation_set",
    "load",
    "test_batches",
    "training_batches",
]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read. It has either `read` or `encoded`.

    Attributes:
        class_names: in the order of the labels; None where only the data can tell.
        normalization: of its pixels.
        flip: whether a mirrored image is still of its class.
        read: from split and data path to uint8 images and int64 labels, all in memory.
        encoded: from split and data path to images that stay on disk.
        prepare: from a decoded test image to what the network sees.
    """

    class_names: tuple[str, ...] | None
    normalization: Normalization
    flip: bool
    read: Callable[[str, str | None], tuple[np.ndarray, np.ndarray]] | None = None
    encoded: Callable[[str, str | None], Encoded] | None = None
    prepare: Callable[[tf.Tensor], tf.Tensor] | None = None


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

DATASETS = {
    "digits": Dataset(
        class_names=tuple("0123456789"),
        # Measured on the training images; the three channels are the same.
        normalization=Normalization(mean=(0.305,) * 3, std=(0.324,) * 3),
        flip=False,
        read=lambda split, data_path: load_digits(split),
    ),
    "cifar10": Dataset(CIFAR10, IMAGENET, True, read=partial(load_cifar, "cifar10")),
    "cifar100": Dataset(
        CIFAR100,
        Normalization(mean=(0.507, 0.487, 0.441), std=(0.267, 0.256, 0.276)),
        True,
        read=partial(load_cifar, "cifar100"),
    ),
    "imagenet": Dataset(None, IMAGENET, True, encoded=encoded_imagenet, prepare=shorter_side_crop),
    "tinyimagenet": Dataset(
        None,
        Normalization(mean=(0.4802, 0.4481, 0.3975), std=(0.2302, 0.2265, 0.2262)),
        True,
        encoded=partial(encoded_files, tiny_imagenet_files),
        prepare=whole_image,
    ),
    "folder": Dataset(
        None,
        IMAGENET,
        True,
        encoded=partial(encoded_files, folder_files),
        prepare=shorter_side_crop,
    ),
}


def load(name: str, split: str, data_path: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of a small data set into memory.

    Args:
        name: one of `DATASETS` whose images fit there: digits, cifar10 or cifar100.
        split: "train" or "test".
        data_path: where the data set lies, or is to be put; `digits` has no need of it.

    Returns:
        uint8 images (count, height, width, channels) and int64 labels (count,).

    Raises:
        ValueError: an unknown name or split.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    small = [key for key, dataset in DATASETS.items() if dataset.read]
    if name not in small:
        raise ValueError(f"`dataset` must be one of {', '.join(small)}, got {name!r}.")
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be train or test, got {split!r}.")
    return DATASETS[name].read(split, data_path)


def evaluation_set(
    name: str,
    data_path: str | None = None,
    normalization: Normalization | None = None,
    batch_size: int = 256,
) -> tuple[tf.data.Dataset, int]:
    """The test images of any data set as batches in order, each image once.

    Args:
        name: one of `DATASETS`.
        data_path: where the data set lies, or is to be put.
        normalization: of the images; the data set's own if None.
        batch_size: the last batch may be smaller.

    Returns:
        The data set of (float32 images, int64 labels), and how many images it has.

    Raises:
        ValueError: an unknown name.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    if name not in DATASETS:
        raise ValueError(f"`dataset` must be one of {', '.join(DATASETS)}, got {name!r}.")
    dataset = DATASETS[name]
    normalization = normalization or dataset.normalization
    if dataset.read:
        images, labels = dataset.read("test", data_path)
        return test_batches(images, labels, normalization, batch_size), len(images)
    encoded = dataset.encoded("test", data_path)
    return streamed_batches(encoded, dataset.prepare, normalization, batch_size), encoded.count
