"""Data sets by name: what they are, and their images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from recu_tf.data.class_names import CIFAR10, CIFAR100
from recu_tf.data.disk.augmentation import random_resized_crop, random_rotation
from recu_tf.data.disk.decoding import shorter_side_crop, whole_image
from recu_tf.data.disk.files import folder_files, tiny_imagenet_files
from recu_tf.data.disk.image_sources import Source, file_source, imagenet_source
from recu_tf.data.disk.streams import (
    BrokenImages,
    broken_image,
    evaluation_stream,
    training_stream,
)
from recu_tf.data.memory.batches import Normalization, augmented_batches, test_batches
from recu_tf.data.memory.cifar import load_cifar
from recu_tf.data.memory.digits import load_digits
from recu_tf.data.training_images import TrainingSet

__all__ = [
    "DATASETS",
    "Dataset",
    "Normalization",
    "TrainingSet",
    "broken_image",
    "evaluation_set",
    "load",
    "test_batches",
    "training_set",
]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read. It has either `read` or the rest.

    Attributes:
        class_names: in the order of the labels; None where only the data can tell.
        normalization: of its pixels.
        flip: whether a mirrored image is still of its class.
        read: from split and data path to uint8 images and int64 labels, all in memory.
        source: from split and data path to images that stay on disk.
        augment: from an encoded training image and random numbers to uint8 of a fixed size.
        prepare: from a decoded test image to what the network sees.
    """

    class_names: tuple[str, ...] | None
    normalization: Normalization
    flip: bool
    read: Callable[[str, str | None], tuple[np.ndarray, np.ndarray]] | None = None
    source: Callable[[str, str | None], Source] | None = None
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
    prepare: Callable[[tf.Tensor], tf.Tensor] | None = None


NORMALIZED_AT_ONCE = 1024
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
    "imagenet": Dataset(
        None,
        IMAGENET,
        True,
        source=imagenet_source,
        augment=random_resized_crop,
        prepare=shorter_side_crop,
    ),
    "tinyimagenet": Dataset(
        None,
        Normalization(mean=(0.4802, 0.4481, 0.3975), std=(0.2302, 0.2265, 0.2262)),
        True,
        source=lambda split, data_path: file_source(tiny_imagenet_files(split, data_path)),
        augment=random_rotation,
        prepare=whole_image,
    ),
    "folder": Dataset(
        None,
        IMAGENET,
        True,
        source=lambda split, data_path: file_source(folder_files(split, data_path)),
        augment=random_resized_crop,
        prepare=shorter_side_crop,
    ),
}


def load(
    name: str, split: str, data_path: str | None = None, normalized: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of a small data set into memory.

    The images are normalised as everywhere else here: training, evaluation and export expect what
    a network sees that was trained on them.

    Args:
        name: one of `DATASETS` whose images fit there: digits, cifar10 or cifar100.
        split: "train" or "test".
        data_path: where the data set lies, or is to be put; `digits` has no need of it.
        normalized: False gives the pixels as they are. An export of a network trained on these has
            to be told so, unless a `Rescaling` layer in it scales them: see `export.Source`.

    Returns:
        Images (count, height, width, channels), float32 and normalised as `DATASETS` says, or
        uint8 pixels from 0 to 255; int64 labels (count,).

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
    pixels, labels = DATASETS[name].read(split, data_path)
    if not normalized:
        return pixels, labels
    images = np.empty(pixels.shape, np.float32)
    # A part at a time: all of CIFAR in float32 takes 0.6 GB, and there would be two more of it.
    for at in range(0, len(pixels), NORMALIZED_AT_ONCE):
        part = slice(at, at + NORMALIZED_AT_ONCE)
        images[part] = DATASETS[name].normalization(pixels[part])
    return images, labels


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise ValueError(f"`dataset` must be one of {', '.join(DATASETS)}, got {name!r}.")
    return DATASETS[name]


def _check_classes(name: str, data_path: str | None, found: int, expected: int | None) -> None:
    if expected is not None and found != expected:
        where = name if data_path is None else f"`data_path`: {data_path}"
        raise ValueError(f"{where} has {found} classes, the network {expected}.")


def _check_names(
    data_path: str | None, found: Sequence[str] | None, expected: Sequence[str] | None
) -> None:
    if found is not None and expected is not None and list(found) != list(expected):
        pairs = zip(found, expected, strict=True)
        number, (here, there) = next(
            (number, pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]
        )
        raise ValueError(
            f"`data_path`: class {number} of {data_path} is {here!r}, of the network {there!r}."
        )


def training_set(
    name: str,
    data_path: str | None = None,
    normalization: Normalization | None = None,
    skip_broken: bool = False,
    num_classes: int | None = None,
) -> TrainingSet:
    """The training images of any data set, augmented as published.

    An image that cannot be read stops the training with a `tf.errors.InvalidArgumentError`, of
    which `broken_image` makes a line that names the file.

    Args:
        name: one of `DATASETS`.
        data_path: where the data set lies, or is to be put.
        normalization: of the images; the data set's own if None.
        skip_broken: leave images that cannot be read out of their batches instead, and name each
            once on stderr.
        num_classes: of the network; not compared if None.

    Raises:
        ValueError: an unknown name, or another number of classes.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    dataset = _dataset(name)
    normalization = normalization or dataset.normalization
    if dataset.read:
        classes = len(dataset.class_names)
        _check_classes(name, data_path, classes, num_classes)
        images, labels = dataset.read("train", data_path)
        batches = partial(augmented_batches, images, labels, normalization, dataset.flip)
        return TrainingSet(len(images), classes, dataset.class_names, batches)
    source = dataset.source("train", data_path)
    _check_classes(name, data_path, source.num_classes, num_classes)
    broken = BrokenImages(skip_broken)
    batches = partial(training_stream, source, dataset.augment, normalization, broken)
    return TrainingSet(source.count, source.num_classes, source.class_names, batches)


def evaluation_set(
    name: str,
    data_path: str | None = None,
    normalization: Normalization | None = None,
    batch_size: int = 256,
    skip_broken: bool = False,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> tuple[tf.data.Dataset, int]:
    """The test images of any data set as batches in order, each image once.

    Broken images are treated as those of `training_set`.

    Args:
        name: one of `DATASETS`.
        data_path: where the data set lies, or is to be put.
        normalization: of the images; the data set's own if None.
        batch_size: the last batch may be smaller.
        skip_broken: leave images that cannot be read out, and name each once on stderr.
        num_classes: of the network; not compared if None.
        class_names: of the network, in the order of the labels; not compared if None.

    Returns:
        The data set of (float32 images, int64 labels), and how many images it has, broken ones
        among them.

    Raises:
        ValueError: an unknown name, or other classes.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    dataset = _dataset(name)
    normalization = normalization or dataset.normalization
    if dataset.read:
        _check_classes(name, data_path, len(dataset.class_names), num_classes)
        images, labels = dataset.read("test", data_path)
        return test_batches(images, labels, normalization, batch_size), len(images)
    source = dataset.source("test", data_path)
    _check_classes(name, data_path, source.num_classes, num_classes)
    _check_names(data_path, source.class_names, class_names)
    broken = BrokenImages(skip_broken)
    batches = evaluation_stream(source, dataset.prepare, normalization, broken, batch_size)
    return batches, source.count
