"""The images that a file is proved on, and those that int8 is calibrated with."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.sources import Source
from recu_tf import data
from recu_tf.data import Normalization
from recu_tf.evaluation import readable
from recu_tf.settings import Settings

__all__ = ["DataSet", "Images", "calibration_images", "data_set_of", "verification_images"]

# Enough to see a miscompilation, which shows in every image, and to measure a top-1 agreement;
# all 10,000 of CIFAR-10 would take minutes with kernels that x86 has no fast version of, and so
# would more than a few hundred of ImageNet's.
MOST_SMALL_IMAGES = 1000
MOST_IMAGES = 256
SMALL = 64
# Usual are 1 / 255 and 1 / 127.5.
LARGEST_PIXEL_SCALE = 0.1
CALIBRATION_IMAGES = 256
CALIBRATION_BATCH = 64


@dataclass(frozen=True)
class DataSet:
    """The data set of a network.

    Attributes:
        name: one of `recu_tf.data.DATASETS`.
        data_path: where it lies; None means the usual place.
        normalization: of its images, for the network.
        promised: whether someone said where it lies, so that it must be there.
    """

    name: str
    data_path: str | None
    normalization: Normalization
    promised: bool


@dataclass(frozen=True)
class Images:
    """What a file is verified on.

    Attributes:
        pixels: float32 (count, height, width, channels), normalised.
        labels: int (count,); None for random images.
        source: what they are, in words.
    """

    pixels: np.ndarray
    labels: np.ndarray | None
    source: str


def data_set_of(
    source: Source, dataset: str | None = None, data_path: str | None = None
) -> DataSet | None:
    """The data set that a network is for, as told, or as its run knows.

    Args:
        source: the network.
        dataset: one of `recu_tf.data.DATASETS`; None means that of the run.
        data_path: where it lies, if not where the training found it.

    Returns:
        It; None where neither tells.

    Raises:
        ValueError: the run's data set is another one, or `data_path` is of none.
    """
    if source.run is None:
        if dataset is not None:
            known = data.DATASETS[dataset]
            return DataSet(dataset, data_path, known.normalization, promised=True)
        if data_path is not None:
            raise ValueError(f"`data_path` needs `dataset`, which {source.name} does not tell.")
        return None
    settings = Settings.of_run(source.run)
    if dataset not in (None, settings.dataset):
        raise ValueError(f"`dataset` of {source.name} is {settings.dataset}, got {dataset!r}.")
    path = data_path or settings.data_path
    return DataSet(settings.dataset, path, source.run.normalization, promised=path is not None)


def verification_images(source: Source, known: DataSet | None) -> Images:
    """Test images of a network's data set; random ones where there are none.

    Args:
        source: the network.
        known: its data set, if it is known.

    Raises:
        ImportError, OSError, ValueError: the data set cannot be read, although its path is known,
            or its images or classes are not the network's.
    """
    if known is None:
        return _random_images(source.model, "no data set is known")
    try:
        return _test_images(source, known)
    except (ImportError, OSError) as error:
        if known.promised:
            raise
        return _random_images(source.model, " ".join(str(error).split()))


def _random_images(model: tf.keras.Model, reason: str) -> Images:
    rng, shape = np.random.default_rng(0), (MOST_IMAGES, *model.input_shape[1:])
    if _scales_pixels(model):
        pixels, kind = rng.integers(0, 256, shape), "random images of pixels from 0 to 255"
    else:
        pixels, kind = rng.normal(size=shape), "random images"
    return Images(pixels.astype(np.float32), None, f"{kind}, for lack of real ones ({reason})")


def _scales_pixels(model: tf.keras.Model) -> bool:
    """Whether a model scales pixels itself, so that normalised images would all be black to it."""
    layers = [layer for layer in model.submodules if isinstance(layer, tf.keras.layers.Rescaling)]
    return any(0 < np.max(layer.scale) < LARGEST_PIXEL_SCALE for layer in layers)


def _test_images(source: Source, known: DataSet) -> Images:
    shape = source.model.input_shape[1:]
    run = source.run
    classes = source.model.output_shape[-1]
    batches, _ = data.evaluation_set(
        known.name,
        known.data_path,
        known.normalization,
        num_classes=classes,
        class_names=source.class_names,
        skip_broken=bool(run and Settings.of_run(run).skip_broken),
    )
    found = batches.element_spec[0].shape[1:]
    if tuple(found) != tuple(shape):
        raise ValueError(
            f"`dataset`: images of {known.name} are {tuple(found)}, {source.name} takes {shape}."
        )
    most = MOST_SMALL_IMAGES if max(shape[:2]) <= SMALL else MOST_IMAGES
    pixels, labels = zip(*readable(batches.unbatch().take(most), known.name), strict=True)
    return Images(np.stack(pixels), np.stack(labels), f"test images of {known.name}")


def calibration_images(known: DataSet | None) -> np.ndarray:
    """Training images of a data set, augmented and normalised as a training sees them.

    Args:
        known: the data set.

    Returns:
        float32 (256, height, width, channels), or as many as there are.

    Raises:
        ValueError: no data set is known, or an image cannot be read.
        ImportError, OSError: the data set cannot be read.
    """
    if known is None:
        raise ValueError(
            "`int8` is calibrated on real training images: `dataset` must name the network's."
        )
    training = data.training_set(known.name, known.data_path, known.normalization)
    batches = training.batches(CALIBRATION_BATCH, epochs=1, seed=0)
    count = -(-CALIBRATION_IMAGES // CALIBRATION_BATCH)
    pixels = [images for images, _ in readable(batches.take(count), known.name)]
    return tf.concat(pixels, axis=0).numpy()
