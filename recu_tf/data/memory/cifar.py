"""CIFAR through tensorflow-datasets."""

import os

import numpy as np

from recu_tf.data.tfds import check_directory, import_tfds, make_read_error

__all__ = ["load_cifar"]


# Folders to which torchvision unpacks the data sets.
TORCHVISION = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


def _check_not_torchvision(name: str, data_path: str | None) -> None:
    """Refuses the directory that the published loader takes, before the data set is downloaded."""
    pickles = os.path.join(data_path or "", TORCHVISION[name])
    if data_path and os.path.isdir(pickles) and not os.path.isdir(os.path.join(data_path, name)):
        raise FileNotFoundError(
            f"`data_path` must be a data directory of tensorflow-datasets, got {data_path} with "
            f"torchvision's {TORCHVISION[name]}, pickles that are not read here: pass an empty "
            "directory to have the data set downloaded there, or none for the default directory."
        )


def load_cifar(name: str, split: str, data_path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of CIFAR into memory, downloading and preparing it first if needed.

    Args:
        name: of the data set in tensorflow-datasets, "cifar10" or "cifar100".
        split: "train" (50,000 images) or "test" (10,000).
        data_path: a data directory of tensorflow-datasets; None means its default directory.

    Returns:
        uint8 images (count, 32, 32, 3) and int64 labels (count,).

    Raises:
        ImportError: tensorflow-datasets is not installed.
        OSError: the data set is not in the directory and cannot be downloaded, or the directory
            holds it in torchvision's format.
    """
    check_directory(data_path)
    _check_not_torchvision(name, data_path)
    tfds = import_tfds(name)
    try:
        images, labels = tfds.load(
            name, split=split, data_dir=data_path, batch_size=-1, as_supervised=True
        )
    except Exception as error:  # whatever the download, the archive or the disk raises
        raise make_read_error(name, data_path, error) from error
    return images.numpy(), labels.numpy()
