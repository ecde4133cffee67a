"""CIFAR through tensorflow-datasets."""

import os

import numpy as np

__all__ = ["check_directory", "import_tfds", "load_cifar", "unreadable"]


# Folders that torchvision unpacks the data sets to.
TORCHVISION = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


def import_tfds(name: str):
    """The package tensorflow-datasets; raises an ImportError that says how to get it."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"{name} is read by tensorflow-datasets, which is not installed: "
            "pip install 'recu_tf[data]'"
        ) from error
    return tfds


def unreadable(name: str, data_path: str | None, error: Exception) -> OSError:
    """What to raise where tensorflow-datasets failed, for whatever reason."""
    where = data_path or "the usual directory of tensorflow-datasets"
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return OSError(
        f"`data_path`: {name} could neither be read from {where} nor downloaded: {reason}"
    )


def check_directory(data_path: str | None) -> None:
    """Refuses a data directory that is not there, before anything is downloaded to a typo."""
    if data_path is not None and not os.path.isdir(data_path):
        raise FileNotFoundError(
            f"`data_path` must be a directory, and {data_path} is none; make it to have the data "
            "set downloaded there."
        )


def _check_not_torchvision(name: str, data_path: str | None) -> None:
    """Refuses the directory that the published loader takes, before the data set is downloaded."""
    pickles = os.path.join(data_path or "", TORCHVISION[name])
    if data_path and os.path.isdir(pickles) and not os.path.isdir(os.path.join(data_path, name)):
        raise FileNotFoundError(
            f"`data_path` must be a data directory of tensorflow-datasets, got {data_path} with "
            f"torchvision's {TORCHVISION[name]}, pickles that are not read here: name an empty "
            "directory to have the data set downloaded there, or none for the usual place."
        )


def load_cifar(name: str, split: str, data_path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of CIFAR into memory, downloading and preparing it first where needed.

    Args:
        name: of the data set in tensorflow-datasets, "cifar10" or "cifar100".
        split: "train" (50,000 images) or "test" (10,000).
        data_path: a data directory of tensorflow-datasets, its usual one if None.

    Returns:
        uint8 images (count, 32, 32, 3) and int64 labels (count,).

    Raises:
        ImportError: tensorflow-datasets is not installed.
        OSError: the data set is not in the directory and cannot be downloaded, or the directory
            holds it as torchvision does.
    """
    check_directory(data_path)
    _check_not_torchvision(name, data_path)
    tfds = import_tfds(name)
    try:
        images, labels = tfds.load(
            name, split=split, data_dir=data_path, batch_size=-1, as_supervised=True
        )
    except Exception as error:  # whatever the download, the archive or the disk raises
        raise unreadable(name, data_path, error) from error
    return images.numpy(), labels.numpy()
