"""What can be exported: a trained network, and what is known of its images and classes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tensorflow as tf

from export.keras_graph.inputs_outputs import as_inputs, keep_names
from recu_tf import networks
from recu_tf.choices import OWN
from recu_tf.data import Normalization
from recu_tf.image_input import find_image_input
from recu_tf.pixel_scaling import (
    PIXELS,
    check_normalization,
    find_pixel_scaling,
    make_identity_normalization,
    make_normalization,
)
from recu_tf.runs import Run
from recu_tf.settings import Settings

__all__ = ["Source", "describe", "load"]


@dataclass(frozen=True)
class Source:
    """A trained network to export.

    Attributes:
        model: from images to outputs. A model that takes its inputs by name is wrapped to take them
            as a list in the order of `model.inputs`, or as a single tensor if there is one input.
        name: of what it was read from, for people.
        directory: of its bundle unless another one is given.
        run: the run directory that it lies in, if any.
        file: that it was read from; None where it is no file.
        normalization: of its images; "pixels" if it takes pixels from 0 to 255 unchanged. None
            means that of its Keras layer `Rescaling` or `Normalization`, or else that of its run;
            if there is neither, it stays None, and the data set that the export names decides. A
            given value takes precedence over all of them.
        class_names: in the order of its outputs; None means those of its run, if it has one.
        dataset: of its images, if it is a published checkpoint or comes with `recu_tf`: one of
            `recu_tf.data.DATASETS`.

    Raises:
        ValueError: the normalisation is not for the images' channels, or the number of names is not
            that of the outputs.
    """

    model: tf.keras.Model
    name: str
    directory: str | os.PathLike
    run: Run | None = None
    file: Path | None = None
    normalization: Normalization | Literal["pixels"] | None = None
    class_names: Sequence[str] | None = None
    dataset: str | None = None

    def __post_init__(self):
        # Keras' own, where a functional model was made with {"image": ...} for its input.
        if isinstance(getattr(self.model, "_nested_inputs", None), dict):
            inputs = as_inputs(self.model.inputs)
            plain = tf.keras.Model(inputs, self.model.output, name=self.model.name)
            object.__setattr__(self, "model", keep_names(plain, self.model))
        # `export.keras_graph.checks` reports whatever else is wrong with a model.
        if getattr(self.model, "inputs", None):
            object.__setattr__(self, "normalization", self._find_normalization())
        if self.class_names is None and self.run:
            object.__setattr__(self, "class_names", self.run.config["class_names"])
        elif self.class_names is not None:
            _check_names(self.model, self.class_names, "`class_names`")

    @property
    def is_from_library(self) -> bool:
        """Whether it was trained or imported here, comes along, or is a published checkpoint."""
        return self.run is not None or self.dataset is not None

    @property
    def records_dataset(self) -> bool:
        """Whether its run says which of `recu_tf.data.DATASETS` it was trained on.

        Raises:
            ValueError: the run's settings are invalid.
        """
        return self.run is not None and Settings.of_run(self.run).dataset != OWN

    def _find_normalization(self) -> Normalization | None:
        given, number = self.normalization, find_image_input(self.model)
        if number is None:
            if given is not None:
                raise ValueError(
                    "`normalization` is of images (batch, height, width, channels), and "
                    f"{self.name} takes {_list_shapes(self.model.inputs)}."
                )
            return None
        if given is None:
            return find_pixel_scaling(self.model) or (self.run.normalization if self.run else None)
        channels = self.model.inputs[number].shape[-1]
        if given == PIXELS:
            return make_identity_normalization(channels)
        if not isinstance(given, Normalization):
            raise ValueError(
                f'`normalization` must be a Normalization, "{PIXELS}" or None, got {given!r}.'
            )
        check_normalization(given, channels)
        return given


def _list_shapes(tensors: Sequence) -> str:
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors)


def _check_names(model: tf.keras.Model, names: Sequence[str], argument: str) -> None:
    """Refuses names of classes unless some output of a model has as many.

    Raises:
        ValueError: none has; it begins with `argument`.
    """
    outputs = getattr(model, "outputs", None)
    sizes = [tensor.shape[-1] for tensor in outputs or [] if tensor.shape.rank]
    if outputs and len(names) not in sizes:
        raise ValueError(
            f"{argument} must hold a name for each output of the network, which gives "
            f"{_list_shapes(outputs)}, got {len(names)}."
        )


def describe(
    source: Source,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
    labels: str | os.PathLike | None = None,
) -> Source:
    """Adds what the user knows of a network's images and classes.

    Args:
        source: the network.
        mean: see `recu_tf.pixel_scaling.make_normalization`.
        std: likewise.
        scale: likewise. Where none of the three is given, the normalisation stays the same.
        labels: path of a text file in UTF-8 with the names of the classes, a line for each in the
            order of the outputs. Empty lines at its end do not count.

    Returns:
        The same network with the normalisation and names that were given.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, or the number of its names is not that of the network's
            outputs; the numbers are wrong, or the network takes no images.
    """
    given = {}
    if any(value is not None for value in (mean, std, scale)):
        number = find_image_input(source.model) if source.model.inputs else None
        if number is None:
            raise ValueError(f"`mean`, `std` and `scale` are of images, {source.name} takes none.")
        channels = source.model.inputs[number].shape[-1]
        given["normalization"] = make_normalization(channels, mean, std, scale)
    if labels is not None:
        given["class_names"] = _read_names(labels, source.model)
    return replace(source, **given)


def _read_names(path: str | os.PathLike, model: tf.keras.Model) -> tuple[str, ...]:
    try:
        lines = Path(path).read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"`labels`: {path} must be text in UTF-8: {error}.") from error
    except OSError as error:
        raise OSError(f"`labels`: {path} cannot be read: {error.strerror}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    names = tuple(line.strip() for line in lines)
    if "" in names:
        raise ValueError(
            f"`labels`: {path} must have a class name per line, line {names.index('') + 1} is "
            "empty."
        )
    _check_names(model, names, f"`labels`: {path}")
    return names


def load(
    path: str | os.PathLike,
    which: str | None = None,
    *,
    model: str | None = None,
    dataset: str | None = None,
    weights: str | os.PathLike | None = None,
) -> Source:
    """Loads a trained network to export, without executing code that it contains.

    Args:
        path: a run directory, a `.keras` file, a `.h5` file, a SavedModel directory, a published
            checkpoint, `pretrained/NAME` or the name of a network, see `recu_tf.networks.load`. A
            name without `weights` gives an untrained network, for measurements. A file that lies
            in a run is taken for a network of it.
        which: "best" or "last" model of a run directory; None means best.
        model: of a published checkpoint, one of `recu_tf.models.MODELS`; inferred if None.
        dataset: of a published checkpoint, one of `recu_tf.data.DATASETS`; inferred if None. Of a
            name, the one that decides its variant, its classes and the size of its images.
        weights: of the name of a network, see `recu_tf.models.build`.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ImportError: it is a checkpoint and torch, or a network of larq-zoo and that, is not
            installed.
        OSError: the weights cannot be downloaded.
        ValueError: it is damaged, none of the above, contains code, or an option does not belong to
            its format.
    """
    network = networks.load(
        path, which=which, model=model, dataset=dataset, weights=weights, untrained=True
    )
    path = network.path
    stem = Path(path.name.removesuffix(".tar")).stem
    directory = path / "export" if network.format == "run" else path.with_name(f"{stem}_export")
    return Source(
        model=network.model,
        name=f"{path}, untrained" if network.format == "name" and weights is None else str(path),
        # A name is no place: its folder lies in the working directory.
        directory=Path(directory.name) if network.format in ("name", "pretrained") else directory,
        run=network.run,
        file=network.file,
        normalization=network.normalization,
        class_names=network.class_names,
        dataset=network.dataset if network.format in ("checkpoint", "pretrained") else None,
    )
