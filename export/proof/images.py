"""The images that a file is verified on, and those that int8 is calibrated with."""

import os
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import Inputs
from export.loading.image_folders import choose_resizing, list_images, map_classes, read_images
from export.loading.sources import Source
from export.proof.random_images import MOST_IMAGES, draw_images, limit_images
from recu_tf import data
from recu_tf.data import Normalization
from recu_tf.evaluation import name_broken_images
from recu_tf.messages import in_one_line
from recu_tf.pixel_scaling import is_identity
from recu_tf.settings import Settings

__all__ = [
    "DataSet",
    "Images",
    "choose_normalization",
    "find_data_set",
    "load_calibration_images",
    "load_verification_images",
]

# Enough to see a miscompilation, which shows in every image, and to measure a top-1 agreement.
# All 10,000 of CIFAR-10, or more than a few hundred of ImageNet's, would take minutes with a
# backend that is slow on x86.
MOST_SMALL_IMAGES = 1000
SMALL = 64
CALIBRATION_IMAGES = 256
CALIBRATION_BATCH = 64


@dataclass(frozen=True)
class DataSet:
    """The data set of a network.

    Attributes:
        name: one of `recu_tf.data.DATASETS`.
        data_path: where it lies; None means the usual place.
        normalization: of its images, for the network.
        promised: whether the user named it or its path, so that it must be readable.
    """

    name: str
    data_path: str | None
    normalization: Normalization
    promised: bool


@dataclass(frozen=True)
class Images:
    """The images that a file is verified on.

    Attributes:
        pixels: (count, height, width, channels), float32 and normalised for the network; for
            several inputs a list with an array for each.
        labels: int (count,); None for random images and where the classes are unknown.
        source: where the images come from, in words.
        class_names: in the order of the network's outputs, if only the folders of the images name
            the classes; None otherwise.
    """

    pixels: Inputs
    labels: np.ndarray | None
    source: str
    class_names: tuple[str, ...] | None = None


def find_data_set(
    source: Source, dataset: str | None = None, data_path: str | None = None
) -> DataSet | None:
    """Finds the data set of a network, as given or as its run records it.

    Args:
        source: the network. Its own normalisation takes precedence over the data set's.
        dataset: one of `recu_tf.data.DATASETS`; None means that of the run or of the checkpoint.
            A run with images of the caller's own has none.
        data_path: where it lies, if not where the training found it.

    Returns:
        The data set; None where neither names one.

    Raises:
        ValueError: the run's data set is another one, or `data_path` is given without a data set.
    """
    if not source.records_dataset:
        name = dataset or source.dataset
        if name is not None:
            normalization = source.normalization or data.DATASETS[name].normalization
            promised = dataset is not None or data_path is not None
            return DataSet(name, data_path, normalization, promised)
        if data_path is not None:
            raise ValueError(f"`data_path` needs `dataset`, which {source.name} does not name.")
        return None
    settings = Settings.of_run(source.run)
    if dataset not in (None, settings.dataset):
        raise ValueError(f"`dataset` of {source.name} is {settings.dataset}, got {dataset!r}.")
    path = data_path or settings.data_path
    return DataSet(settings.dataset, path, source.normalization, promised=path is not None)


def choose_normalization(source: Source, known: DataSet | None) -> Normalization | None:
    """Chooses the normalisation of a network's images; None where it is unknown.

    Args:
        source: the network.
        known: its data set, if it is known.
    """
    return known.normalization if known else source.normalization


def _count_images(model: tf.keras.Model) -> int:
    """Counts the images that a file is to be verified on."""
    small = max(model.input_shape[1:3]) <= SMALL
    return limit_images(model, MOST_SMALL_IMAGES if small else MOST_IMAGES)


def load_verification_images(
    source: Source, known: DataSet | None, folder: str | os.PathLike | None = None
) -> Images:
    """Loads images of a folder, or test images of a network's data set, or draws random ones.

    A data set that the user did not name is not downloaded.

    Args:
        source: the network.
        known: its data set, if it is known.
        folder: of images, in folders named after their classes or all in one; it takes precedence
            over the data set.

    Raises:
        ImportError, OSError, ValueError: the folder or the data set that the user named cannot be
            read, or its images or classes do not fit the network.
    """
    several = len(source.model.inputs) > 1
    if several and (folder is not None or (known and known.promised)):
        name = "dataset" if folder is None else "images"
        raise ValueError(
            f"`{name}` is for networks with one input, and {source.name} has "
            f"{len(source.model.inputs)}."
        )
    if folder is not None:
        return _load_folder_images(source, known, folder)
    if known is None:
        return _draw_images(source, "no data set is known")
    if several:
        return _draw_images(source, f"{known.name} has no data for the other inputs")
    if not known.promised and data.DATASETS[known.name].needs_download(known.data_path):
        reason = f"{known.name} would have to be downloaded, which `dataset` or `data_path` allows"
        return _draw_images(source, reason)
    try:
        return _load_test_images(source, known)
    except (ImportError, OSError) as error:
        if known.promised:
            raise
        return _draw_images(source, in_one_line(error))


def _draw_images(source: Source, reason: str) -> Images:
    normalization = source.normalization
    pixels = normalization is not None and is_identity(normalization)
    kind = "random images of pixels from 0 to 255" if pixels else "random images"
    words = f"{kind}, for lack of real ones ({reason})"
    return Images(draw_images(source.model, pixels), None, words)


def _load_folder_images(source: Source, known: DataSet | None, folder: str | os.PathLike) -> Images:
    files, count = list_images(folder), _count_images(source.model)
    labels = names = None
    shape = source.model.outputs[0].shape
    if files.labels and shape.rank == 2 and shape[1] > 1:
        numbers = map_classes(folder, files.class_names, source.class_names, shape[1])
        labels = np.array([numbers[label] for label in files.labels[:count]])
        names = None if source.class_names else files.class_names
    pixels = _read_images(source, known, files.paths[:count])
    return Images(pixels, labels, f"images of {folder}", names)


def _read_images(source: Source, known: DataSet | None, paths: list[str]) -> np.ndarray:
    """Reads images as the network takes them."""
    normalization = choose_normalization(source, known)
    if normalization is None:
        raise ValueError(
            "`images` must be normalised as the network's training images were: give `mean`, `std` "
            "or `scale`, or `dataset`."
        )
    shape = tuple(source.model.input_shape[1:])
    if len(shape) != 3:
        raise ValueError(f"`images` do not fit {source.name}, which takes {shape}.")
    resize = choose_resizing(shape[:2], known and known.name)
    return read_images(paths, shape, normalization, resize)


def _load_test_images(source: Source, known: DataSet) -> Images:
    shape = source.model.input_shape[1:]
    run = source.run
    classes = source.model.outputs[0].shape[-1]
    batches, _ = data.load_evaluation_set(
        known.name,
        known.data_path,
        normalization=known.normalization,
        num_classes=classes,
        class_names=source.class_names,
        skip_broken=bool(run and Settings.of_run(run).skip_broken),
    )
    found = batches.element_spec[0].shape[1:]
    if tuple(found) != tuple(shape):
        raise ValueError(
            f"`dataset`: images of {known.name} are {tuple(found)}, {source.name} takes {shape}."
        )
    chosen = batches.unbatch().take(_count_images(source.model))
    pixels, labels = zip(*name_broken_images(chosen, known.name), strict=True)
    return Images(np.stack(pixels), np.stack(labels), f"test images of {known.name}")


def load_calibration_images(
    source: Source, known: DataSet | None, folder: str | os.PathLike | None = None
) -> np.ndarray:
    """Loads training images of a data set, augmented and normalised as in training.

    If no data set is known, it loads images of the folder: not those that the file is verified on,
    if there are enough.

    Args:
        source: the network.
        known: its data set, if it is known.
        folder: see `load_verification_images`.

    Returns:
        float32 (256, height, width, channels); fewer if there are fewer, or if they are large.

    Raises:
        ValueError: there is neither data set nor folder, or an image cannot be read.
        ImportError, OSError: they cannot be read.
    """
    if known is None and folder is None:
        raise ValueError(
            "`int8` is calibrated on real training images: `dataset` must name the network's data "
            "set, or `images` a folder of images."
        )
    if known is None:
        paths = list_images(folder).paths[::-1]
        return _read_images(source, known, paths[: limit_images(source.model, CALIBRATION_IMAGES)])
    training = data.load_training_set(
        known.name, known.data_path, normalization=known.normalization
    )
    batches = training.batches(CALIBRATION_BATCH, epochs=1, seed=0)
    count = -(-CALIBRATION_IMAGES // CALIBRATION_BATCH)
    pixels = [images for images, _ in name_broken_images(batches.take(count), known.name)]
    return tf.concat(pixels, axis=0).numpy()
