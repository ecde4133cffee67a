"""tensorflow-datasets: importing it, its data directories, and one error for its many."""

import os

from recu_tf.messages import in_one_line

__all__ = ["check_directory", "import_tfds", "make_read_error", "needs_download"]


def import_tfds(name: str):
    """Imports tensorflow-datasets; raises an ImportError that says how to install it.

    Args:
        name: of the data set it is needed for, for the error.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"{name} is read by tensorflow-datasets, which is not installed: "
            "pip install 'recu_tf[data]'"
        ) from error
    return tfds


def make_read_error(name: str, data_path: str | None, error: Exception) -> OSError:
    """The error to raise where tensorflow-datasets failed, for whatever reason."""
    where = data_path or "the default directory of tensorflow-datasets"
    reason = in_one_line(error)[:200]
    return OSError(
        f"`data_path`: {name} could neither be read from {where} nor downloaded: {reason}"
    )


def check_directory(data_path: str | None) -> None:
    """Raises a FileNotFoundError for a missing directory, before anything is downloaded to it."""
    if data_path is not None and not os.path.isdir(data_path):
        raise FileNotFoundError(
            f"`data_path` must be an existing directory, got {data_path}; create it to have the "
            "data set downloaded to it."
        )


def needs_download(name: str, data_path: str | None) -> bool:
    """Whether tensorflow-datasets would download a data set to read it; nothing is downloaded.

    Args:
        name: of the data set.
        data_path: a data directory of tensorflow-datasets; None means its default directory.
    """
    try:
        builder = import_tfds(name).builder(name, data_dir=data_path)
    except ImportError:
        return False
    return not os.path.isdir(builder.data_dir)
