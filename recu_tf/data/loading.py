"""The images of a data set by its name: in memory, for training, and for evaluation."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from recu_tf.choices import check_choice
from recu_tf.data.datasets import DATASETS, Dataset
from recu_tf.data.disk.image_sources import ImageSource, make_file_source
from recu_tf.data.disk.streams import (
    BrokenImages,
    make_evaluation_stream,
    make_training_stream,
)
from recu_tf.data.held_out import choose_held_out
from recu_tf.data.memory.batches import PADDING, make_test_batches, make_training_batches
from recu_tf.data.normalization import Normalization
from recu_tf.data.training_images import TrainingSet

__all__ = ["load", "load_evaluation_set", "load_training_set"]

NORMALIZED_AT_ONCE = 1024


def load(
    name: str, split: str, data_path: str | None = None, normalized: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of a small data set into memory.

    The images are normalised as in training: evaluation and export expect the numbers that a
    network was trained on.

    Args:
        name: of a data set in `DATASETS` that fits into memory: digits, cifar10 or cifar100.
        split: "train" or "test".
        data_path: directory that holds the data set, or to which it is downloaded; `digits` needs
            none.
        normalized: False returns the pixels as they are. To export a network trained on pixels,
            pass `normalization="pixels"` to `export.Source`, unless a `Rescaling` layer in the
            network scales them.

    Returns:
        Images (count, height, width, channels), float32 and normalised as `DATASETS` defines, or
        uint8 pixels from 0 to 255; int64 labels (count,).

    Raises:
        ValueError: an unknown name or split.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    small = [key for key, dataset in DATASETS.items() if dataset.read]
    check_choice("dataset", name, small)
    if split not in ("train", "test"):
        raise ValueError(f"`split` must be train or test, got {split!r}.")
    pixels, labels = DATASETS[name].read(split, data_path)
    if not normalized:
        return pixels, labels
    images = np.empty(pixels.shape, np.float32)
    # In slices: all of CIFAR in float32 takes 0.6 GB, and normalising it at once twice as much
    # again.
    for start in range(0, len(pixels), NORMALIZED_AT_ONCE):
        chosen = slice(start, start + NORMALIZED_AT_ONCE)
        images[chosen] = DATASETS[name].normalization(pixels[chosen])
    return images, labels


def _get_dataset(name: str) -> Dataset:
    check_choice("dataset", name, DATASETS)
    return DATASETS[name]


def _check_num_classes(name: str, data_path: str | None, found: int, expected: int | None) -> None:
    if expected is not None and found != expected:
        where = name if data_path is None else f"`data_path`: {data_path}"
        raise ValueError(f"{where} has {found} classes, the network has {expected}.")


def _check_class_names(
    data_path: str | None, found: Sequence[str] | None, expected: Sequence[str] | None
) -> None:
    if found is not None and expected is not None and list(found) != list(expected):
        pairs = zip(found, expected, strict=True)
        number, (here, there) = next(
            (number, pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]
        )
        raise ValueError(
            f"`data_path`: class {number} of {data_path} is {here!r}, class {number} of the "
            f"network is {there!r}."
        )


def _read_part(
    dataset: Dataset, data_path: str | None, held_out: float, *, kept: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The training images in memory that are kept, or those that are held out."""
    images, labels = dataset.read("train", data_path)
    if not held_out:
        return images, labels
    chosen = choose_held_out(labels, held_out) != kept
    return images[chosen], labels[chosen]


def _open_part(
    dataset: Dataset, data_path: str | None, held_out: float, *, kept: bool
) -> ImageSource:
    """The training images on disk that are kept, or those that are held out."""
    source = dataset.source("train", data_path)
    if not held_out:
        return source
    if source.files is None:
        raise ValueError(
            "`validation_split` must be 0 for TFRecords, whose labels are not known before they "
            f"are read, got {held_out}; folders of images can be divided."
        )
    chosen = choose_held_out(np.array(source.files.labels), held_out) != kept
    return make_file_source(source.files.select(np.flatnonzero(chosen)))


def load_training_set(
    name: str,
    data_path: str | None = None,
    *,
    normalization: Normalization | None = None,
    skip_broken: bool = False,
    num_classes: int | None = None,
    held_out: float = 0.0,
    padding: int = PADDING,
) -> TrainingSet:
    """The training images of any data set, augmented as published.

    An image that cannot be read stops the training with a `tf.errors.InvalidArgumentError`, from
    which `describe_broken_image` extracts a line that names the file.

    Args:
        name: of a data set in `DATASETS`.
        data_path: directory that holds the data set, or to which it is downloaded.
        normalization: of the images; None means the data set's own.
        skip_broken: leave images that cannot be read out of their batches, and name each once on
            stderr.
        num_classes: of the network, to be compared with the data set; None compares nothing.
        held_out: the share of the images of each class to leave out, for `load_evaluation_set`.
        padding: pixels by which images in memory are shifted at most; those on disk are cropped
            in another way.

    Raises:
        ValueError: an unknown name, another number of classes, or a share that leaves out nothing.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    dataset = _get_dataset(name)
    normalization = normalization or dataset.normalization
    if dataset.read:
        classes = len(dataset.class_names)
        _check_num_classes(name, data_path, classes, num_classes)
        images, labels = _read_part(dataset, data_path, held_out, kept=True)
        make_batches = partial(
            make_training_batches, images, labels, normalization, dataset.flip, padding=padding
        )
        return TrainingSet(len(images), classes, dataset.class_names, make_batches)
    source = _open_part(dataset, data_path, held_out, kept=True)
    _check_num_classes(name, data_path, source.num_classes, num_classes)
    broken = BrokenImages(skip_broken)
    make_batches = partial(make_training_stream, source, dataset.augment, normalization, broken)
    return TrainingSet(source.count, source.num_classes, source.class_names, make_batches)


def load_evaluation_set(
    name: str,
    data_path: str | None = None,
    *,
    normalization: Normalization | None = None,
    batch_size: int = 256,
    skip_broken: bool = False,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    held_out: float = 0.0,
) -> tuple[tf.data.Dataset, int]:
    """The test images of any data set as batches in order, each image once.

    Broken images are treated as in `load_training_set`.

    Args:
        name: of a data set in `DATASETS`.
        data_path: directory that holds the data set, or to which it is downloaded.
        normalization: of the images; None means the data set's own.
        batch_size: images per batch; the last batch may be smaller.
        skip_broken: leave out images that cannot be read, and name each once on stderr.
        num_classes: of the network, to be compared with the data set; None compares nothing.
        class_names: of the network, in the order of the labels, to be compared with the data set;
            None compares nothing.
        held_out: the share of the training images of each class to take instead of the test images,
            those that `load_training_set` leaves out. They are prepared like test images.

    Returns:
        The data set of float32 images (batch, height, width, channels) and int64 labels (batch,),
        and the number of its images, broken images included.

    Raises:
        ValueError: an unknown name, other classes, or a share that takes nothing.
        ImportError: the package that reads the data set is not installed.
        OSError: the data can neither be read nor downloaded.
    """
    dataset = _get_dataset(name)
    normalization = normalization or dataset.normalization
    if dataset.read:
        _check_num_classes(name, data_path, len(dataset.class_names), num_classes)
        if held_out:
            images, labels = _read_part(dataset, data_path, held_out, kept=False)
        else:
            images, labels = dataset.read("test", data_path)
        return make_test_batches(images, labels, normalization, batch_size), len(images)
    if held_out:
        source = _open_part(dataset, data_path, held_out, kept=False)
    else:
        source = dataset.source("test", data_path)
    _check_num_classes(name, data_path, source.num_classes, num_classes)
    _check_class_names(data_path, source.class_names, class_names)
    broken = BrokenImages(skip_broken)
    batches = make_evaluation_stream(source, dataset.prepare, normalization, broken, batch_size)
    return batches, source.count
