"""The table of data sets.

A new data set is an entry here, a name in `choices` and a number of classes in `models.registry`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from recu_tf import choices
from recu_tf.data.class_names import CIFAR10, CIFAR100
from recu_tf.data.disk.augmentation import random_resized_crop, random_rotation
from recu_tf.data.disk.decoding import resize_and_crop, resize_whole
from recu_tf.data.disk.files import list_folder_files, list_tiny_imagenet_files
from recu_tf.data.disk.image_sources import ImageSource, make_file_source, make_imagenet_source
from recu_tf.data.memory.cifar import load_cifar
from recu_tf.data.memory.digits import load_digits
from recu_tf.data.normalization import Normalization
from recu_tf.data.tfds import needs_download

__all__ = ["DATASETS", "Dataset"]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read.

    A data set that fits into memory has `read`; one that stays on disk has `source`, `augment` and
    `prepare`.

    Attributes:
        class_names: in the order of the labels; None if only the files on disk define them.
        normalization: of its pixels.
        flip: whether a mirrored image still belongs to its class.
        read: from split and data path to uint8 images (count, height, width, channels) and int64
            labels (count,), all in memory.
        source: from split and data path to images that stay on disk.
        augment: from an encoded training image, a scalar string, and its random numbers to uint8
            (height, width, channels) of a fixed size.
        prepare: from a decoded test image to uint8 of such a shape.
        needs_download: from data path to whether reading it begins with a download.
    """

    class_names: tuple[str, ...] | None
    normalization: Normalization
    flip: bool
    read: Callable[[str, str | None], tuple[np.ndarray, np.ndarray]] | None = None
    source: Callable[[str, str | None], ImageSource] | None = None
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
    prepare: Callable[[tf.Tensor], tf.Tensor] | None = None
    needs_download: Callable[[str | None], bool] = lambda data_path: False


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

DATASETS = {
    choices.DIGITS: Dataset(
        class_names=tuple("0123456789"),
        # Measured on the training images; the three channels are equal.
        normalization=Normalization(mean=(0.305,) * 3, std=(0.324,) * 3),
        flip=False,
        read=lambda split, data_path: load_digits(split),
    ),
    choices.CIFAR10: Dataset(
        CIFAR10,
        IMAGENET,
        flip=True,
        read=partial(load_cifar, "cifar10"),
        needs_download=partial(needs_download, "cifar10"),
    ),
    choices.CIFAR100: Dataset(
        CIFAR100,
        Normalization(mean=(0.507, 0.487, 0.441), std=(0.267, 0.256, 0.276)),
        flip=True,
        read=partial(load_cifar, "cifar100"),
        needs_download=partial(needs_download, "cifar100"),
    ),
    choices.IMAGENET: Dataset(
        None,
        IMAGENET,
        flip=True,
        source=make_imagenet_source,
        augment=random_resized_crop,
        prepare=resize_and_crop,
    ),
    choices.TINYIMAGENET: Dataset(
        None,
        Normalization(mean=(0.4802, 0.4481, 0.3975), std=(0.2302, 0.2265, 0.2262)),
        flip=True,
        source=lambda split, data_path: make_file_source(
            list_tiny_imagenet_files(split, data_path)
        ),
        augment=random_rotation,
        prepare=resize_whole,
    ),
    choices.FOLDER: Dataset(
        None,
        IMAGENET,
        flip=True,
        source=lambda split, data_path: make_file_source(list_folder_files(split, data_path)),
        augment=random_resized_crop,
        prepare=resize_and_crop,
    ),
}
