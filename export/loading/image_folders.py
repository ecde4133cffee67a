"""Reads images of a folder as `predict.py` does, for networks whose data set is not known here."""

import os
from collections.abc import Sequence

import numpy as np

from export.runtime import predict
from recu_tf.data import DATASETS, Normalization
from recu_tf.data.disk.decoding import SHORTER_SIDE, SIZE, resize_and_crop
from recu_tf.data.disk.files import ImageFiles, list_image_files

__all__ = ["choose_resizing", "list_images", "map_classes", "read_images"]


def choose_resizing(size: tuple[int, int], dataset: str | None) -> dict[str, object]:
    """Chooses how an image is resized to the input, as for the test images of the network.

    Args:
        size: height and width of the input.
        dataset: one of `recu_tf.data.DATASETS`. None where no data set is known: images of
            ImageNet's size are then resized and cropped as is usual for ImageNet.

    Returns:
        {"exact": [height, width]}, or {"shorter_side": side, "crop": [height, width]} for the
        middle of an image whose shorter side was resized to that.
    """
    known = DATASETS.get(dataset)
    cropped = known is None or known.prepare is resize_and_crop
    if cropped and tuple(size) == (SIZE, SIZE):
        return {"shorter_side": SHORTER_SIDE, "crop": list(size)}
    return {"exact": list(size)}


def list_images(folder: str | os.PathLike) -> ImageFiles:
    """Lists the images of a folder as `recu_tf.data.disk.files.list_image_files` does.

    They are shuffled, in the same way each time, so that the first few contain every class.

    Raises:
        OSError: it is no folder, or holds no images; the message begins with `images`.
    """
    try:
        paths, labels, names = list_image_files(folder)
    except OSError as error:
        raise OSError(f"`images`: {error}") from error
    order = np.random.default_rng(0).permutation(len(paths))
    return ImageFiles(
        [paths[at] for at in order], [labels[at] for at in order] if labels else [], names
    )


def map_classes(
    folder: str | os.PathLike, found: Sequence[str], known: Sequence[str] | None, count: int
) -> list[int]:
    """Maps each class of a folder to the number of the network's output.

    Args:
        folder: for the error.
        found: names of the folders in it, in alphabetical order.
        known: names of the network's classes in the order of its outputs; None means `found`.
        count: of the network's outputs.

    Raises:
        ValueError: a folder is not named after a known class, or the names are not given and there
            are not as many folders as outputs.
    """
    if known is None:
        if len(found) != count:
            raise ValueError(
                f"`images`: {folder} has folders for {len(found)} classes, the network has {count} "
                "outputs; `labels` must name the classes in the order of the outputs."
            )
        return list(range(count))
    known = list(known)
    others = [name for name in found if known.count(name) != 1]
    if others:
        raise ValueError(
            f"`images`: {folder}/{others[0]} must have the name of one class of the network: "
            f"{', '.join(known[:5])}{', ...' if len(known) > 5 else ''}."
        )
    return [known.index(name) for name in found]


def read_images(
    paths: Sequence[str],
    shape: tuple[int, int, int],
    normalization: Normalization,
    resize: dict[str, object],
) -> np.ndarray:
    """Reads images as `predict.py` does.

    Args:
        paths: of the files.
        shape: (height, width, channels) of the network's input, of 1 or 3 channels.
        normalization: of the images.
        resize: see `choose_resizing`.

    Returns:
        float32 (count, height, width, channels), normalised.

    Raises:
        ValueError: an image cannot be read, or the network takes other than 1 or 3 channels.
    """
    if shape[-1] not in predict.MODES:
        raise ValueError(f"`images` have 1 or 3 channels, the network takes {shape[-1]}.")
    images = np.empty((len(paths), *shape), np.float32)
    for at, path in enumerate(paths):
        try:
            image = predict.resize_image(predict.open_image(path, shape[-1]), resize)
        except predict.Refused as refused:
            raise ValueError(f"`images`: {refused}.") from refused
        pixels = np.asarray(image).reshape(1, *shape)
        images[at] = normalization(pixels)[0]
    return images
