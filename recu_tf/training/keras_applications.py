"""The networks of `keras.applications` by name, with weights from a file or from Keras' servers."""

import inspect
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tensorflow as tf

from recu_tf import inflation
from recu_tf.precision import use_precision

__all__ = ["SUFFIXES", "build_application", "list_applications", "load_weights"]

SUFFIXES = (".h5", ".keras")  # of files with weights
IMAGENET_CLASSES = 1000
# Keras builds these for images of any size; all others for the size that they were published for.
OF_ANY_SIZE = dict.fromkeys(("MobileNetV3Large", "MobileNetV3Small"), (224, 224, 3))


def list_applications() -> tuple[str, ...]:
    """The names of the functions of `keras.applications` that build networks."""
    functions = vars(tf.keras.applications).items()
    return tuple(name for name, function in functions if inspect.isfunction(function))


def build_application(
    name: str, *, num_classes: int, weights: str | os.PathLike | None = None
) -> tuple[tf.keras.Model, Callable[[tf.Tensor], tf.Tensor]]:
    """Builds a network with trained weights.

    Args:
        name: one of `list_applications`.
        num_classes: number of its classes.
        weights: path of a file with its weights; None means those that Keras publishes for the 1000
            classes of ImageNet, downloaded unless Keras' cache has them.

    Returns:
        The model, in float32, for images of the size it was published for, and the function that
        makes what it takes from float32 pixels (batch, height, width, 3), RGB, from 0 to 255.

    Raises:
        ValueError: there are no published weights for so many classes, they cannot be downloaded,
            or the file does not hold weights of this network.
    """
    function = getattr(tf.keras.applications, name)
    if weights is None and num_classes != IMAGENET_CLASSES:
        raise ValueError(
            f"`teacher` {name} has published weights for {IMAGENET_CLASSES} classes, the network "
            f"has {num_classes}: bring weights for those with --teacher_weights FILE."
        )
    shape = OF_ANY_SIZE.get(name)
    with use_precision("float32"):
        if weights is None:
            model = _build_published(name, partial(function, input_shape=shape))
        else:
            model = function(input_shape=shape, weights=None, classes=num_classes)
            load_weights(model, Path(weights))
    return model, sys.modules[function.__module__].preprocess_input


def _build_published(name: str, function: Callable[..., tf.keras.Model]) -> tf.keras.Model:
    try:
        return function(weights="imagenet")
    except Exception as error:  # Keras raises Exception itself
        found = re.search(r"https?://\S+?(?=[:,;]?(\s|$))", str(error))
        if found is None:
            where = "the file that Keras names above"
        else:
            where = f"{found[0].rpartition('/')[2]} from {found[0]}"
        raise ValueError(
            f"`teacher`: the weights of {name} could not be downloaded ({error}). Bring {where} "
            "and give its path with --teacher_weights FILE."
        ) from error


def load_weights(model: tf.keras.Model, path: Path) -> None:
    """Loads weights into a model from a file of any origin; only numbers are read from it.

    Args:
        model: built.
        path: of a `.h5` file with weights or a whole model, or a `.keras` file.

    Raises:
        ValueError: the file is damaged, does not hold weights of this model, or would unpack to far
            more than its size, see `recu_tf.inflation`.
    """
    try:
        if path.name.endswith(".keras"):
            with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as directory:
                inflation.check_member(archive, "model.weights.h5", path)
                extracted = archive.extract("model.weights.h5", directory)
                inflation.check_h5_file(extracted, os.path.getsize(path), path)
                model.load_weights(extracted)
        else:
            inflation.check_h5_file(path, os.path.getsize(path), path)
            model.load_weights(str(path))
    except inflation.TooLarge:
        raise
    except Exception as error:  # zip, HDF5 and Keras each have their own
        raise ValueError(
            f"`teacher_weights` must be a file with weights of {model.name} for "
            f"{model.output_shape[-1]} classes, {path} cannot be loaded: {error}"
        ) from error
