"""Whole Keras models in `.keras` and `.h5` files of any origin."""

import os
import sys
import zipfile
from collections.abc import Callable

import h5py
import tensorflow as tf

from recu_tf import inflation, json_text
from recu_tf.networks.origins import check_origins
from recu_tf.runs.keras_file import ZOO, load_keras, load_with_zoo

__all__ = ["load_h5_file", "load_keras_file"]


def load_keras_file(path: str | os.PathLike) -> tf.keras.Model:
    """Loads a `.keras` file of any origin, without executing code that it contains or names.

    Args:
        path: of the file.

    Raises:
        ValueError: the file is damaged, has a `Lambda` layer, needs layers or functions from
            elsewhere than Keras, Larq, larq-zoo and this library, or would become far longer when
            it is unpacked, see `recu_tf.inflation`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inflation.check_member(archive, "config.json", path)
            config = json_text.parse(archive.read("config.json"))
    except (OSError, inflation.TooLarge):
        raise
    except Exception as error:  # zip and each of its decompressors have their own
        raise ValueError(f"{path} is damaged or no .keras file: {error}") from error
    check_origins(config, path)
    return _load(load_keras, path)


def load_h5_file(path: str | os.PathLike) -> tf.keras.Model:
    """Loads a whole model from a `.h5` file of any origin, as carefully as `load_keras_file`.

    Args:
        path: of a file that `model.save` wrote.

    Raises:
        ValueError: as for `load_keras_file`, or the file holds weights without a model.
    """
    try:
        with h5py.File(path, "r") as file:
            config = json_text.parse(file.attrs["model_config"])
    except KeyError as error:
        raise ValueError(f"{path} has no model in it, only weights.") from error
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no .h5 file: {error}") from error
    inflation.check_h5_file(path, os.path.getsize(path), path)
    check_origins(config, path)
    return _load(lambda path: tf.keras.models.load_model(path, compile=False), path)


def _load(
    load: Callable[[str | os.PathLike], tf.keras.Model], path: str | os.PathLike
) -> tf.keras.Model:
    """Loads a file, after importing larq-zoo where that may be what it needs; says what failed."""
    try:
        return load_with_zoo(load, path)
    except inflation.TooLarge:
        raise
    except Exception as error:  # zip, JSON, HDF5 and Keras each have their own
        advice = "" if ZOO in sys.modules else " (Networks of larq-zoo need that installed.)"
        raise ValueError(f"{path} cannot be loaded: {error}{advice}") from error
