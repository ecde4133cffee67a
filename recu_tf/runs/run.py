"""The run directory: what a training leaves behind, and all that an export needs.

```
config.json    format number, settings and their changes, data set, versions (written first)
metrics.jsonl  one line per epoch: losses, accuracies, lr, tau, seconds, diagnostics
logs/          TensorBoard
checkpoints/   what a training needs to go on, see `recu_tf.runs.checkpoints`
best.keras     the whole network with the weights of the epoch of the best validation accuracy
last.keras     the whole network of the last epoch
.lock          held by the process that trains, see `recu_tf.runs.locking`
```
"""

import json
import os
import platform
import warnings
from importlib import metadata
from pathlib import Path

import tensorflow as tf

from recu_tf import inflation, json_text
from recu_tf.data import Normalization
from recu_tf.runs.atomic_write import unwritable, write_aside
from recu_tf.runs.keras_file import load_keras
from recu_tf.runs.locking import LOCK

__all__ = ["WHICH", "Run", "versions"]

FORMAT = 1
WHICH = ("best", "last")
CONFIG_ASIDE = ".config.partial.json"
KEYS = ("versions", "settings", "num_classes", "class_names", "input_shape", "normalization")


def versions() -> dict[str, str]:
    """The versions of Python, of this library and of what it stands on."""
    names = ("recu_tf", "tensorflow", "tf-keras", "larq", "numpy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def _check_classes(config: dict, path: Path) -> None:
    """Refuses sizes and names of classes in a run's configuration that are of other types."""
    classes, names, shape = (config[key] for key in ("num_classes", "class_names", "input_shape"))
    sizes = [classes, *shape] if isinstance(shape, list) else [None]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(
            f"`input_shape` in {path} must be a list of whole numbers from 1, and `num_classes` "
            f"such a number, got {shape!r} and {classes!r}."
        )
    texts = names if isinstance(names, list) else [None]
    if names is not None and not all(isinstance(text, str) for text in texts):
        raise ValueError(f"`class_names` in {path} must be a list of texts or null, got {names!r}.")


class Run:
    """A run directory that exists.

    Attributes:
        path: of the directory.
        config: the contents of `config.json`.
    """

    def __init__(self, path: Path, config: dict):
        self.path = path
        self.config = config

    @classmethod
    def check_free(cls, path: str | os.PathLike) -> Path:
        """Refuses a path that a new run cannot have.

        Raises:
            FileExistsError: there is a file, a run or something else at `path`.
        """
        path = Path(path)
        if (path / "config.json").exists():
            raise FileExistsError(
                f"{path} already holds a run. To go on: --resume trains it further, `recu evaluate "
                f"{path}` or `recu export {path}` use it; another name makes one beside it; "
                "removing the directory makes room."
            )
        # What a process that was killed before its first file was whole left is not the user's.
        if path.exists() and not (
            path.is_dir() and all(inside.name in (CONFIG_ASIDE, LOCK) for inside in path.iterdir())
        ):
            raise FileExistsError(
                f"{path} exists and is not an empty directory; give another name."
            )
        return path

    @classmethod
    def create(cls, path: str | os.PathLike, config: dict) -> "Run":
        """Makes a run directory.

        Args:
            path: a directory that does not exist or is empty.
            config: `settings`, `num_classes`, `class_names`, `input_shape` and `normalization`,
                all that an export needs; format and versions are added.

        Raises:
            FileExistsError: see `check_free`.
            OSError: the directory cannot be made.
        """
        path = cls.check_free(path)
        config = {"format": FORMAT, "versions": versions(), **config}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"The run directory {path} cannot be made: {error.strerror}") from error
        run = cls(path, config)
        run.write_config()
        return run

    def write_config(self) -> None:
        """Writes `config.json` anew."""
        text = json.dumps(self.config, indent=2) + "\n"
        write_aside(self.path / "config.json", lambda aside: aside.write_text(text, "utf-8"))

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Run":
        """Opens a run directory.

        Raises:
            FileNotFoundError: there is no run at `path`.
            ValueError: its `config.json` is not one, or of a format this version cannot read.
        """
        path = Path(path)
        try:
            config = json_text.parsed((path / "config.json").read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(
                f"{path} is not a run directory: it has no config.json."
            ) from None
        except ValueError as error:
            raise ValueError(f"{path / 'config.json'} is not valid JSON: {error}") from None
        found = config.get("format") if isinstance(config, dict) else None
        if found != FORMAT:
            raise ValueError(
                f"{path / 'config.json'} must have format {FORMAT}, the one this version of "
                f"recu_tf reads, got {found!r}."
            )
        missing = [key for key in KEYS if key not in config]
        if missing:
            raise ValueError(f"{path / 'config.json'} lacks {', '.join(missing)}.")
        _check_classes(config, path / "config.json")
        try:
            channels = config["input_shape"][-1]
            kept = [config["normalization"][key] for key in ("mean", "std")]
            well_formed = all(
                len(values) == channels and all(isinstance(v, int | float) for v in values)
                for values in kept
            )
        except (TypeError, KeyError, IndexError):
            well_formed = False
        if not well_formed:
            raise ValueError(
                f"`normalization` in {path / 'config.json'} must have a mean and a std for each "
                f"channel of `input_shape`, got {config['normalization']!r}."
            )
        return cls(path, config)

    @classmethod
    def around(cls, path: str | os.PathLike) -> "Run | None":
        """The run that a file or directory lies in, itself or one folder further in; or None.

        Raises:
            ValueError: a `config.json` there is damaged, or no run's.
        """
        for directory in Path(path).resolve().parents[:2]:
            if (directory / "config.json").exists():
                return cls.open(directory)
        return None

    @property
    def normalization(self) -> Normalization:
        """Of the images that the network takes."""
        kept = self.config["normalization"]
        return Normalization(tuple(kept["mean"]), tuple(kept["std"]))

    def model_path(self, which: str) -> Path:
        """The file of the "best" or the "last" model."""
        if which not in WHICH:
            raise ValueError(f"`which` must be one of {', '.join(WHICH)}, got {which!r}.")
        return self.path / f"{which}.keras"

    def save_model(self, model: tf.keras.Model, which: str) -> None:
        """Keeps a model as the "best" or the "last" one, in one step."""
        write_aside(self.model_path(which), model.save)

    def load_model(self, which: str = "best") -> tf.keras.Model:
        """Loads the "best" or the "last" model, uncompiled.

        Raises:
            FileNotFoundError: the training ended before its first epoch did.
            ValueError: the file is damaged or holds another network.
        """
        path = self.model_path(which)
        if not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist: the training stopped before its first epoch ended."
            )
        try:
            model = load_keras(path)
        except inflation.TooLarge:
            raise
        except Exception as error:  # zip, JSON, HDF5 and Keras each have their own
            raise ValueError(f"{path} is damaged: {error}") from error
        expected = (tuple(self.config["input_shape"]), (self.config["num_classes"],))
        if (model.input_shape[1:], model.output_shape[1:]) != expected:
            raise ValueError(
                f"{path} is another network than that of config.json: from {model.input_shape[1:]} "
                f"to {model.output_shape[1:]}, not from {expected[0]} to {expected[1]}."
            )
        return model

    def append_metrics(self, values: dict) -> None:
        """Adds a line to `metrics.jsonl`; raises an OSError where it cannot be written."""
        path = self.path / "metrics.jsonl"
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
        except OSError as error:
            raise unwritable(path, error) from error

    def metrics(self) -> list[dict]:
        """The lines of `metrics.jsonl`; none where there is no such file.

        What is not the line of an epoch, as kills and power failures leave it, is left out with a
        warning.
        """
        path, lines = self.path / "metrics.jsonl", []
        texts = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
        for number, text in enumerate(texts, start=1):
            try:
                line = json_text.parsed(text)
                whole = isinstance(line["epoch"], int)
            except (ValueError, TypeError, KeyError):
                whole = False
            if whole:
                lines.append(line)
            else:
                warnings.warn(f"{path}, line {number}, is damaged and left out.", stacklevel=2)
        return lines

    def forget_metrics(self, epoch: int) -> None:
        """Removes the lines of `metrics.jsonl` from an epoch on, and half a line at its end."""
        path = self.path / "metrics.jsonl"
        if path.exists():
            kept = [line for line in self.metrics() if line["epoch"] < epoch]
            text = "".join(json.dumps(line) + "\n" for line in kept)
            write_aside(path, lambda aside: aside.write_text(text, "utf-8"))
