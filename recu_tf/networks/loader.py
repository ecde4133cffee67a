"""One loader for trained networks in every format, and what is known of their images."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from recu_tf import models, pretrained, pytorch
from recu_tf.choices import NETWORK_FORMATS, OWN
from recu_tf.data import DATASETS, Normalization
from recu_tf.networks.formats import Format, find_format
from recu_tf.networks.model_files import load_h5_file, load_keras_file
from recu_tf.networks.named import build_named_network
from recu_tf.networks.saved_model import SavedFunction, load_saved_model
from recu_tf.pixel_scaling import find_pixel_scaling
from recu_tf.pytorch.identification import resolve_network
from recu_tf.quantized_scope import preserve_quantized_scope
from recu_tf.runs import Run
from recu_tf.settings import Settings

__all__ = ["Network", "load"]

# The formats of what is no path.
NAMES = ("name", "pretrained")
LOADERS = {"keras": load_keras_file, "h5": load_h5_file, "saved_model": load_saved_model}


@dataclass(frozen=True)
class Network:
    """A trained network, and what is known of its images and classes.

    Attributes:
        model: from images to outputs, uncompiled.
        path: that it was loaded from, or its name.
        format: of `path`.
        file: that holds the network, in a run directory `best.keras` or `last.keras`; None for a
            SavedModel, which is a directory, and for a name. Of a network that comes along, its
            weights.
        run: the run that it belongs to: that at `path`, or the one whose directory holds the file
            if the inputs and outputs are that run's; None if there is none.
        name: of the network, one of `recu_tf.models.NETWORK_NAMES`; None if not known.
        normalization: of the images: of pixels from 0 to 255 where a layer of the network scales
            them itself, else that of the run or checkpoint; None if neither is known.
        dataset: that the network was trained on or built for, one of `recu_tf.data.DATASETS`; None
            if not known.
        data_path: where the training found the data set; None if not known.
        class_names: in the order of the outputs; None if not known.
    """

    model: tf.keras.Model
    path: Path
    format: Format
    file: Path | None = None
    run: Run | None = None
    name: str | None = None
    normalization: Normalization | None = None
    dataset: str | None = None
    data_path: str | None = None
    class_names: Sequence[str] | None = None

    @property
    def has_layers(self) -> bool:
        """Whether its layers are known; those of a SavedModel may not be, see `load`."""
        return not any(isinstance(layer, SavedFunction) for layer in self.model.layers)


@preserve_quantized_scope()
def load(
    path: str | os.PathLike,
    *,
    which: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
    weights: str | os.PathLike | None = None,
    untrained: bool = False,
) -> Network:
    """Loads a trained network in any format, without executing code that it contains.

    A SavedModel that Keras wrote, from layers of Keras, Larq and this library, becomes the model of
    those layers; any other one layer around its signature `serving_default`. Its graph is a program
    that may read and write files: see `recu_tf.networks.saved_model.load_saved_model`.

    Args:
        path: a run directory, a `.keras` file, a `.h5` file, a SavedModel directory, a published
            checkpoint, `pretrained/` before one of `recu_tf.pretrained.NAMES`, or one of
            `recu_tf.models.NETWORK_NAMES` if there is neither a file nor a directory of that name.
        which: of a run directory, "best" or "last" model; None means best.
        model: of a published checkpoint, one of `recu_tf.models.MODELS`; inferred from the tensors
            if None.
        dataset: of a published checkpoint, the one of `recu_tf.data.DATASETS` that it was trained
            on; inferred from the number of classes if None. Of a name, see
            `recu_tf.networks.named.build_named_network`. Other formats do not depend on it.
        weights: of a name: those that come along or those at a path, see `recu_tf.models.build`.
        untrained: whether a name without `weights` gives a network with fresh weights; otherwise it
            is refused.

    Returns:
        The network.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ImportError: it is a checkpoint and torch, or a network of larq-zoo and that, is not
            installed.
        OSError: the weights cannot be downloaded.
        ValueError: it is damaged, has another format, contains code, or an option does not belong
            to its format.
    """
    path = Path(path)
    format = find_format(path)
    if format is None and not path.exists():
        raise FileNotFoundError(f"{path} does not exist; it must be {NETWORK_FORMATS}.")
    if format is None:
        raise ValueError(f"{path} must be {NETWORK_FORMATS}; it is none.")
    if which is not None and format != "run":
        holds = "is a name" if format in NAMES else "holds one network"
        raise ValueError(f"`which` is for run directories, {path} {holds}.")
    if model is not None and format != "checkpoint":
        own = "is a name" if format in NAMES else "defines its own"
        raise ValueError(f"`model` is for published checkpoints, {path} {own}.")
    if weights is not None and format != "name":
        raise ValueError(f"`weights` is for names of networks, {path} has its own.")
    if format == "checkpoint":
        return _load_checkpoint(path, model, dataset)
    if format == "name":
        return _build_named(path, dataset, weights, untrained)
    if format == "pretrained":
        return _load_pretrained(path)
    if format == "run":
        run, which = Run.open(path), which or "best"
        loaded, file = run.load_model(which), run.model_path(which)
    else:
        loaded = LOADERS[format](path)
        run, file = _find_run(path, loaded), path if path.is_file() else None
    return Network(
        loaded,
        path,
        format,
        file,
        run,
        normalization=find_pixel_scaling(loaded) or (run.normalization if run else None),
        class_names=run.config["class_names"] if run else None,
        **(_describe_training(run) if run else {}),
    )


def _load_checkpoint(path: Path, name: str | None, dataset: str | None) -> Network:
    state_dict, _ = pytorch.read_checkpoint(path)
    try:
        name, dataset = resolve_network(state_dict, model=name, dataset=dataset)
        model = pytorch.from_state_dict(state_dict, model=name, dataset=dataset)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    known = DATASETS[dataset]
    return Network(
        model,
        path,
        "checkpoint",
        path,
        name=name,
        normalization=known.normalization,
        dataset=dataset,
        class_names=known.class_names,
    )


def _load_pretrained(path: Path) -> Network:
    entry = pretrained.find(path.as_posix())
    return Network(
        models.build(entry.model, weights=entry.dataset),
        path,
        "pretrained",
        entry.path,
        name=entry.model,
        normalization=DATASETS[entry.dataset].normalization,
        dataset=entry.dataset,
        class_names=entry.class_names,
    )


def _build_named(
    path: Path, dataset: str | None, weights: str | os.PathLike | None, untrained: bool
) -> Network:
    name = path.as_posix()
    model, dataset = build_named_network(
        name, dataset=dataset, weights=weights, untrained=untrained
    )
    known = DATASETS[dataset]
    names = known.class_names
    return Network(
        model,
        path,
        "name",
        name=name,
        normalization=known.normalization,
        dataset=dataset,
        class_names=names if names and len(names) == model.output_shape[-1] else None,
    )


def _find_run(path: Path, model: tf.keras.Model) -> Run | None:
    """The run whose directory holds a file, if the file's network is one of that run."""
    try:
        run = Run.find_around(path)
    except ValueError:
        # Other programs call files config.json as well.
        return None
    if run is None:
        return None
    shapes = [tensor.shape for tensor in [*(model.inputs or []), *(model.outputs or [])]]
    expected = [run.config["input_shape"], [run.config["num_classes"]]]
    known = all(shape.rank for shape in shapes)
    return run if known and [shape[1:].as_list() for shape in shapes] == expected else None


def _describe_training(run: Run) -> dict[str, str | None]:
    """The network and data set of a run, as far as its settings are valid."""
    try:
        settings = Settings.of_run(run)
    except ValueError:
        # The network can be used all the same; who needs the settings reads them again.
        return {}
    return {
        "name": None if settings.model == OWN else settings.model,
        "dataset": None if settings.dataset == OWN else settings.dataset,
        "data_path": settings.data_path,
    }


# `recu_tf.models.build` takes weights in every format, and cannot import this module.
models.trained.register_loader(load)
