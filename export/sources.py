"""What can be exported: a trained network, and what is known of its images and classes."""

import os
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from export.latent_scope import restored_scope
from recu_tf.classifiers import load_h5_file, load_keras_file
from recu_tf.data import Normalization
from recu_tf.runs import Run

__all__ = ["Source", "load"]

FORMATS = "a run directory, a .keras file, a .h5 file or a SavedModel directory"
LOADERS = {".keras": load_keras_file, ".h5": load_h5_file}


@dataclass(frozen=True)
class Source:
    """A trained network.

    Attributes:
        model: it, from images to outputs; images that it takes by a name it takes as such here.
        name: of what it was read from, for people.
        directory: where its bundle goes unless told otherwise.
        run: the run directory that it lies in, if any.
        file: that it was read from; None where it is no file.
    """

    model: tf.keras.Model
    name: str
    directory: str | os.PathLike
    run: Run | None = None
    file: Path | None = None

    def __post_init__(self):
        # Keras' own, where a functional model was made with {"image": ...} for its input.
        named = getattr(self.model, "_nested_inputs", None)
        if isinstance(named, dict) and len(named) == 1:
            plain = tf.keras.Model(*named.values(), self.model.output, name=self.model.name)
            object.__setattr__(self, "model", plain)

    @property
    def normalization(self) -> Normalization | None:
        """Of its images; None where nothing tells."""
        return self.run.normalization if self.run else None

    @property
    def class_names(self) -> list[str] | None:
        """In the order of its outputs; None where nothing tells."""
        return self.run.config["class_names"] if self.run else None


@restored_scope()
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
        from export.saved_models import load_saved_model

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
        run = Run.around(path)
    except ValueError:
        # Other programs call files config.json as well.
        return None
    if run is None:
        return None
    ends = [tuple(one.shape[1:]) for one in [*(model.inputs or []), *(model.outputs or [])]]
    return run if ends == [tuple(run.config["input_shape"]), (run.config["num_classes"],)] else None
