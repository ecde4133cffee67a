"""Trained networks of several formats as one thing: a function from images to outputs."""

import importlib.util
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import tensorflow as tf

from recu_tf import inflation, json_text
from recu_tf.runs.keras_file import load_keras

__all__ = [
    "Classifier",
    "batches_of",
    "check_origins",
    "in_batches_of",
    "keras_classifier",
    "load_h5_file",
    "load_keras_file",
    "load_signature",
    "saved_model_classifier",
]

SIGNATURE = "serving_default"
# Parts of the names of TensorFlow's functions that read, write, load or call something.
BEYOND_NUMBERS = (
    "(io|raw_ops|data|train|summary|saved_model|queue|lookup|distribute|debugging|config|autograph)$"
    "|py_|numpy_function|load_|print|.*file|function$|.*Variable"
)
# Where layers and functions of a `.keras` file may come from.
PACKAGES = ("builtins", "keras", "larq", "larq_zoo", "recu_tf", "tf_keras")
ZOO = "larq_zoo"


class Classifier(NamedTuple):
    """A trained network that can be evaluated.

    Attributes:
        predict: from normalised float32 images (batch, height, width, channels), as many as there
            are, to outputs (batch, classes).
        input_shape: (height, width, channels) of the images; None where any will do.
        classes: number of outputs; None where only a prediction can tell.
    """

    predict: Callable[[tf.Tensor], np.ndarray]
    input_shape: tuple[int | None, ...]
    classes: int | None


def batches_of(size: int, images: np.ndarray) -> list[np.ndarray]:
    """Images in batches of one size; zeros fill the last one up.

    Args:
        size: images of a batch.
        images: (count, ...), one or more.
    """
    filled = np.pad(images, [(0, -len(images) % size), *[(0, 0)] * (images.ndim - 1)])
    return [filled[at : at + size] for at in range(0, len(filled), size)]


def in_batches_of(
    size: int, predict: Callable[[np.ndarray], np.ndarray]
) -> Callable[[tf.Tensor], np.ndarray]:
    """A function for any number of images from one that takes exactly `size`.

    Zeros fill the last batch up; what comes out for them is left out.

    Args:
        size: images of a batch.
        predict: from so many images to as many outputs.
    """

    def predict_any(images: tf.Tensor) -> np.ndarray:
        outputs = [predict(batch) for batch in batches_of(size, np.asarray(images))]
        return np.concatenate(outputs)[: len(images)]

    return predict_any


def classifier(
    predict: Callable[[np.ndarray], np.ndarray],
    inputs: list[tf.TensorSpec],
    outputs: list[tf.TensorSpec],
) -> Classifier:
    """A classifier of a function, if its inputs and outputs are those of one.

    Args:
        predict: from images to outputs, as many at a time as its input says.
        inputs: should be one, (batch, height, width, channels) of a floating type.
        outputs: should be one, (batch, classes).

    Raises:
        ValueError: they are not.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"the network must have one input and one output, got {len(inputs)} and {len(outputs)}"
        )
    (images,), (values,) = inputs, outputs
    if images.shape.rank not in (None, 4) or values.shape.rank not in (None, 2):
        raise ValueError(
            "the network must lead from (batch, height, width, channels) to (batch, classes), got "
            f"{images.shape} to {values.shape}"
        )
    if not (images.dtype.is_floating and values.dtype.is_floating):
        raise ValueError(
            "the network must take and give floating-point numbers, got "
            f"{images.dtype.name} and {values.dtype.name}"
        )
    size, *shape = images.shape if images.shape.rank else [None] * 4
    return Classifier(
        predict if size is None else in_batches_of(size, predict),
        tuple(shape),
        values.shape[1] if values.shape.rank else None,
    )


def keras_classifier(model: tf.keras.Model) -> Classifier:
    """A classifier of a Keras model.

    Args:
        model: from images to logits or probabilities.

    Raises:
        ValueError: it has other inputs or outputs.
    """
    inputs = [tf.TensorSpec(one.shape, one.dtype) for one in model.inputs]
    outputs = [tf.TensorSpec(one.shape, one.dtype) for one in model.outputs]
    # One trace for all batches, the smaller last one included.
    predict = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec(inputs[0].shape, tf.float32)],
    )
    return classifier(predict, inputs, outputs)


def load_keras_file(path: str | os.PathLike) -> tf.keras.Model:
    """Loads a `.keras` file of anyone's, without executing code that it brings along or names.

    Args:
        path: of the file.

    Raises:
        ValueError: the file is damaged, has a `Lambda` layer, wants layers or functions from
            elsewhere than Keras, Larq, larq-zoo and this library, or holds far more than it is
            long, see `recu_tf.inflation`.
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
    return _loaded(load_keras, path)


def load_h5_file(path: str | os.PathLike) -> tf.keras.Model:
    """Loads a whole model from a `.h5` file of anyone's, as carefully as `load_keras_file`.

    Args:
        path: of a file that `model.save` wrote.

    Raises:
        ValueError: as for `load_keras_file`, or the file has weights and no model.
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
    return _loaded(lambda path: tf.keras.models.load_model(path, compile=False), path)


def _loaded(
    load: Callable[[str | os.PathLike], tf.keras.Model], path: str | os.PathLike
) -> tf.keras.Model:
    try:
        try:
            return load(path)
        except inflation.TooLarge:
            raise
        except Exception:
            # Its networks name functions that Keras knows only once it is imported.
            if ZOO in sys.modules or not importlib.util.find_spec(ZOO):
                raise
            importlib.import_module(ZOO)
            return load(path)
    except inflation.TooLarge:
        raise
    except Exception as error:  # zip, JSON, HDF5 and Keras each have their own
        advice = "" if ZOO in sys.modules else " (Networks of larq-zoo need that installed.)"
        raise ValueError(f"{path} cannot be loaded: {error}{advice}") from error


def check_origins(config: object, path: str | os.PathLike) -> None:
    """Refuses a configuration of Keras with code in it, or with layers or functions of others.

    Args:
        config: of a model or layer, as JSON gives it.
        path: of the file that it comes from.

    Raises:
        ValueError: it has a `Lambda`, or something that is not of Keras, Larq, larq-zoo or this
            library.
    """
    for one in _dictionaries(config):
        _check_function(one, path)
        package = str(one.get("module") or "builtins").split(".")[0]
        if one.get("class_name") == "Lambda" or package not in PACKAGES:
            raise ValueError(
                f"{path} was refused and nothing in it was executed: it has a layer or function "
                f"{one.get('class_name')} of {one.get('module')}, and may have those of "
                f"{', '.join(PACKAGES[1:])} without Lambda."
            )


def _check_function(config: dict, path: str | os.PathLike) -> None:
    """Refuses a layer that is a function of TensorFlow's which does more than to compute."""
    if config.get("class_name") != "TFOpLambda":
        return
    inner = config.get("config")
    name = str(inner.get("function")) if isinstance(inner, dict) else ""
    if any(re.match(BEYOND_NUMBERS, part) for part in name.split(".")):
        raise ValueError(
            f"{path} was refused and nothing in it was executed: it has a layer that calls "
            f"tf.{name}, which does more than to compute with numbers."
        )


def _dictionaries(value: object) -> Iterator[dict]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _dictionaries(one)


def load_signature(path: str | os.PathLike):
    """Loads a SavedModel that has the signature `serving_default`, as `saved_model_classifier`.

    Args:
        path: its directory.

    Returns:
        What `tf.saved_model.load` gives.

    Raises:
        ValueError: the directory is damaged, or has no such signature.
    """
    try:
        module = tf.saved_model.load(os.fspath(Path(path)))
    except Exception as error:  # protobuf, TensorFlow and the disk each have their own
        raise ValueError(f"{path} is a damaged SavedModel: {error}") from error
    if SIGNATURE not in module.signatures:
        raise ValueError(
            f"{path} must have the signature {SIGNATURE}, got "
            f"{', '.join(module.signatures) or 'none'}."
        )
    return module


def saved_model_classifier(path: str | os.PathLike) -> Classifier:
    """A classifier of a SavedModel's signature `serving_default`.

    A SavedModel brings no Python along, but its graph is a program: TensorFlow has operations that
    read and write files, and they would run with the rights of this process. Load those only that
    you would run.

    Args:
        path: a directory that `model.save`, `model.export` or `tf.saved_model.save` wrote.

    Raises:
        ValueError: the directory is damaged, or has no such signature from one tensor of images to
            one of outputs.
    """
    module = load_signature(path)
    signature = module.signatures[SIGNATURE]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs

    def predict(images):
        # Through the module, which owns the variables and must live as long.
        (values,) = module.signatures[SIGNATURE](
            **{name: tf.cast(images, spec.dtype) for name, spec in inputs.items()}
        ).values()
        return values

    try:
        return classifier(predict, list(inputs.values()), list(outputs.values()))
    except ValueError as error:
        raise ValueError(f"{path}: {error}.") from error
