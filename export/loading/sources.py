"""What can be exported: a trained network, and what is known of its images and classes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tensorflow as tf

from export.keras_graph.inputs_outputs import as_inputs, keep_names
from recu_tf.data import Normalization
from recu_tf.networks import load_h5_file, load_keras_file
from recu_tf.pixel_scaling import (
    PIXELS,
    check_normalization,
    find_image_input,
    make_identity_normalization,
    make_normalization,
    scales_pixels,
)
from recu_tf.quantized_scope import preserve_quantized_scope
from recu_tf.runs import Run

__all__ = ["Source", "described", "load"]

FORMATS = "a run directory, a .keras file, a .h5 file or a SavedModel directory"
LOADERS = {".keras": load_keras_file, ".h5": load_h5_file}


@dataclass(frozen=True)
class Source:
    """A trained network.

    Attributes:
        model: it, from images to outputs; what it takes by names it takes here as a list, in the
            order of `model.inputs`, or alone where it is one.
        name: of what it was read from, for people.
        directory: where its bundle goes unless told otherwise.
        run: the run directory that it lies in, if any.
        file: that it was read from; None where it is no file.
        normalization: of its images; "pixels" where it takes these from 0 to 255 as they are. None
            means what a `Rescaling` or `Normalization` layer of Keras in it tells, or else its run;
            it stays None where neither does, and the data set that the export names decides. What
            is told goes before all of them.
        class_names: in the order of its outputs; None means those of its run, if it has one.

    Raises:
        ValueError: the normalisation is not of the images' channels, or there are not as many
            names as outputs.
    """

    model: tf.keras.Model
    name: str
    directory: str | os.PathLike
    run: Run | None = None
    file: Path | None = None
    normalization: Normalization | Literal["pixels"] | None = None
    class_names: Sequence[str] | None = None

    def __post_init__(self):
        # Keras' own, where a functional model was made with {"image": ...} for its input.
        if isinstance(getattr(self.model, "_nested_inputs", None), dict):
            inputs = as_inputs(self.model.inputs)
            plain = tf.keras.Model(inputs, self.model.output, name=self.model.name)
            object.__setattr__(self, "model", keep_names(plain, self.model))
        # Whatever else is wrong with a model is told by `export.keras_graph.checks`.
        if getattr(self.model, "inputs", None):
            object.__setattr__(self, "normalization", self._normalization())
        if self.class_names is None and self.run:
            object.__setattr__(self, "class_names", self.run.config["class_names"])
        elif self.class_names is not None:
            _check_names(self.model, self.class_names, "`class_names`")

    def _normalization(self) -> Normalization | None:
        told, number = self.normalization, find_image_input(self.model)
        if number is None:
            if told is not None:
                raise ValueError(
                    "`normalization` is of images (batch, height, width, channels), and "
                    f"{self.name} takes {_shapes(self.model.inputs)}."
                )
            return None
        channels = self.model.inputs[number].shape[-1]
        if told == PIXELS or (told is None and scales_pixels(self.model, number)):
            return make_identity_normalization(channels)
        if told is None:
            return self.run.normalization if self.run else None
        if not isinstance(told, Normalization):
            raise ValueError(
                f'`normalization` must be a Normalization, "{PIXELS}" or None, got {told!r}.'
            )
        check_normalization(told, channels)
        return told


def _shapes(tensors: Sequence) -> str:
    return ", ".join(str(tuple(tensor.shape)) for tensor in tensors)


def _check_names(model: tf.keras.Model, names: Sequence[str], what: str) -> None:
    """Refuses names of classes unless some output of a model has as many.

    Raises:
        ValueError: none has; it begins with `what`.
    """
    outputs = getattr(model, "outputs", None)
    if outputs and len(names) not in [one.shape[-1] for one in outputs if one.shape.rank]:
        raise ValueError(
            f"{what} must hold a name for each output of the network, which gives "
            f"{_shapes(outputs)}, got {len(names)}."
        )


def described(
    source: Source,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
    labels: str | os.PathLike | None = None,
) -> Source:
    """The same network with what is told of its images and classes.

    Args:
        source: the network.
        mean: see `recu_tf.pixel_scaling.make_normalization`.
        std: likewise.
        scale: likewise. Where none of the three is given, the normalisation stays what it is.
        labels: path of a text file in UTF-8 with the names of the classes, a line for each in the
            order of the outputs. Empty lines at its end do not count.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, or has not as many names as the network has outputs; the
            numbers are wrong, or the network takes no images.
    """
    told = {}
    if any(value is not None for value in (mean, std, scale)):
        number = find_image_input(source.model) if source.model.inputs else None
        if number is None:
            raise ValueError(f"`mean`, `std` and `scale` are of images, {source.name} takes none.")
        channels = source.model.inputs[number].shape[-1]
        told["normalization"] = make_normalization(channels, mean, std, scale)
    if labels is not None:
        told["class_names"] = _names_in(labels, source.model)
    return replace(source, **told)


def _names_in(path: str | os.PathLike, model: tf.keras.Model) -> tuple[str, ...]:
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


@preserve_quantized_scope()
def load(path: str | os.PathLike, which: str | None = None) -> Source:
    """Reads a trained network, without executing code that it brings along.

    Args:
        path: a run directory, a `.keras` file, a `.h5` file or a SavedModel directory. A file
            that lies in a run is taken for a network of it.
        which: "best" or "last" model of a run directory; None means best.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it is damaged, none of the above, brings code along, or `which` is given for
            something else than a run.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; it must be {FORMATS}.")
    if (path / "config.json").exists():
        run = Run.open(path)
        which = which or "best"
        return Source(run.load_model(which), str(path), path / "export", run, run.model_path(which))
    if which is not None:
        raise ValueError(f"`which` is for run directories, {path} holds one network.")
    if (path / "saved_model.pb").exists():
        # Only here: TensorFlow's reader of SavedModels takes seconds to load.
        from export.loading.saved_model import load_saved_model

        model = load_saved_model(path)
    elif path.is_file() and path.suffix in LOADERS:
        model = LOADERS[path.suffix](path)
    else:
        raise ValueError(f"{path} must be {FORMATS}; it is none.")
    return Source(
        model,
        str(path),
        path.with_name(f"{path.stem}_export"),
        _run_of(path, model),
        path if path.is_file() else None,
    )


def _run_of(path: Path, model: tf.keras.Model) -> Run | None:
    """The run that a file lies in, if its network is one of that run."""
    try:
        run = Run.find_around(path)
    except ValueError:
        # Other programs call files config.json as well.
        return None
    if run is None:
        return None
    ends = [tuple(one.shape[1:]) for one in [*(model.inputs or []), *(model.outputs or [])]]
    return run if ends == [tuple(run.config["input_shape"]), (run.config["num_classes"],)] else None
