"""The published weights of larq-zoo: from a file, or downloaded by larq-zoo."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf

from recu_tf import inflation

__all__ = [
    "IMAGENET",
    "SavedLayer",
    "count_classes",
    "explain_failed_downloads",
    "read_layers",
    "set_layers",
]

# What larq-zoo calls its own weights.
IMAGENET = "imagenet"


class SavedLayer(NamedTuple):
    """A layer in a file, and its arrays."""

    name: str
    weights: list[np.ndarray]


def read_layers(path: str | os.PathLike) -> list[SavedLayer]:
    """Reads the layers in a file that have weights, and nothing else in it.

    Args:
        path: of a `.h5` file that `save_weights` or `save` of Keras wrote, such as larq-zoo's own.

    Returns:
        The layers in their order, at least one.

    Raises:
        FileNotFoundError: there is no file at `path`.
        ValueError: it is damaged or no such file, or would become far longer when it is unpacked.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'`weights` must be "{IMAGENET}" or the path of a .h5 file, got {str(path)!r}, which '
            "is no file."
        )
    try:
        inflation.check_h5_file(path, os.path.getsize(path), path)
        with h5py.File(path, "r") as file:
            # A whole model has them inside of it.
            group = file.get("model_weights", file)
            layers = []
            for name in _read_names(group, "layer_names"):
                names = _read_names(group[name], "weight_names")
                layers.append(SavedLayer(name, [group[name][weight][()] for weight in names]))
    except inflation.TooLarge:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"`weights`: {path} is damaged or no .h5 file that Keras wrote: {error}"
        ) from error
    layers = [layer for layer in layers if layer.weights]
    if not layers:
        raise ValueError(f"`weights`: {path} has no weights in it.")
    return layers


def count_classes(layers: Sequence[SavedLayer]) -> int:
    """The number of classes of the network that a file is of: the size of the last array in it.

    Args:
        layers: from `read_layers`.
    """
    return layers[-1].weights[-1].shape[-1] if layers[-1].weights[-1].ndim else 1


def set_layers(
    network: tf.keras.Model, layers: Sequence[SavedLayer], path: str | os.PathLike
) -> None:
    """Gives a network the weights that were read from a file.

    The layers follow each other as in the file, whatever their names: Keras numbers the names of
    layers anew in every process.

    Args:
        network: of larq-zoo, with fresh weights.
        layers: from `read_layers`.
        path: of their file, for the error.

    Raises:
        ValueError: they are of another network or number of classes; no weight is changed.
    """
    known = [layer for layer in network.layers if layer.weights]
    if len(layers) != len(known):
        raise ValueError(
            f"`weights` must be a file of the {len(known)} layers with weights of {network.name}, "
            f"{path} has {len(layers)}."
        )
    for layer, (name, weights) in zip(known, layers, strict=True):
        expected = [tuple(weight.shape) for weight in layer.weights]
        found = [weight.shape for weight in weights]
        if found != expected:
            raise ValueError(
                f"`weights` must be a file of {network.name} whose layer {layer.name} has the "
                f"shapes {expected}, {path} has {found} in {name}."
            )
    for layer, (_, weights) in zip(known, layers, strict=True):
        layer.set_weights(weights)


def _read_names(group: h5py.Group, attribute: str) -> list[str]:
    return [
        name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]
    ]


@contextlib.contextmanager
def explain_failed_downloads() -> Iterator[None]:
    """Lets `tf.keras.utils.get_file` say how to bring a file that it cannot download.

    Raises:
        OSError: a file cannot be downloaded, or is not the one that was published.
    """
    replaced = tf.keras.utils.get_file

    def get_file(fname: str, origin: str, **options: str | None) -> str:
        try:
            return replaced(fname=fname, origin=origin, **options)
        except Exception as error:  # Keras raises plain ones
            # Keras puts the address before the reason.
            reason = str(error).rpartition(" -- ")[2].rstrip(".")
            raise OSError(
                f"`weights`: {fname} cannot be downloaded: {reason}. Bring {origin} here by other "
                f"means and give the path of that file instead of {IMAGENET}."
            ) from error

    tf.keras.utils.get_file = get_file
    try:
        yield
    finally:
        tf.keras.utils.get_file = replaced
