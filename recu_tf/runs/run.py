"""The run directory: what a training writes, and everything that an export needs.

```
config.json    format number, settings and their changes, data set, versions (written first)
metrics.jsonl  one line per epoch: losses, accuracies, lr, tau, seconds, diagnostics
logs/          TensorBoard
checkpoints/   what a training needs to resume, see `recu_tf.runs.checkpoints`
best.keras     the whole network with the weights of the epoch of the best validation accuracy
last.keras     the whole network after the last epoch
tracking.json  the run in MLflow or Weights & Biases, see `recu_tf.training.tracking`
.lock          held by the process that trains, see `recu_tf.runs.locking`
```
"""

import os
from pathlib import Path

import tensorflow as tf

from recu_tf import inflation
from recu_tf.choices import check_choice
from recu_tf.data import Normalization
from recu_tf.larq_warnings import silence_initializers
from recu_tf.messages import format_count
from recu_tf.runs import metrics_file
from recu_tf.runs.atomic_write import write_aside, write_json
from recu_tf.runs.directories import CONFIG, create_directory, has_run
from recu_tf.runs.keras_file import load_keras, load_with_zoo
from recu_tf.runs.locking import LOCK
from recu_tf.runs.run_config import FORMAT, PARTIAL_CONFIG, list_versions, read_config

__all__ = ["LEFTOVERS", "TEST_IMAGES", "WHICH", "Run"]

WHICH = ("best", "last")
# Those that choose the best epoch, as published, unless a run says otherwise; progress lines and
# charts have the first word alone.
TEST_IMAGES = "test images"
# What a process that is killed before its first file is complete leaves behind.
LEFTOVERS = (PARTIAL_CONFIG, LOCK)


class Run:
    """An existing run directory.

    Attributes:
        path: of the directory.
        config: the contents of `config.json`.
    """

    def __init__(self, path: Path, config: dict):
        self.path = path
        self.config = config

    @classmethod
    def check_free(cls, path: str | os.PathLike) -> Path:
        """Refuses a path at which no new run can be created.

        Args:
            path: of the directory to be.

        Raises:
            FileExistsError: there is a file, a run or something else at `path`, or it lies in a
                run.
        """
        path = Path(path)
        if has_run(path):
            raise FileExistsError(
                f"{path} already holds a run. Train it further with --resume, use it with `recu "
                f"evaluate {path}` or `recu export {path}`, or choose another name or remove the "
                "directory to start a new run."
            )
        if has_run(path.absolute().parent):
            raise FileExistsError(
                f"{path} lies in {path.parent}, which holds a run; choose another name."
            )
        if path.exists() and not (
            path.is_dir() and all(inside.name in LEFTOVERS for inside in path.iterdir())
        ):
            raise FileExistsError(
                f"{path} exists and is not an empty directory; choose another name."
            )
        return path

    @classmethod
    def create(cls, path: str | os.PathLike, config: dict) -> "Run":
        """Creates a run directory.

        Args:
            path: a directory that does not exist or is empty.
            config: `settings`, `num_classes`, `class_names`, `input_shape` and `normalization`:
                everything that an export needs. The format and the versions are added.

        Raises:
            FileExistsError: see `check_free`.
            OSError: the directory cannot be created.
        """
        path = cls.check_free(path)
        run = cls(path, {"format": FORMAT, "versions": list_versions(), **config})
        create_directory(path, path)
        run.write_config()
        return run

    def write_config(self) -> None:
        """Writes `config` to `config.json`."""
        write_json(self.path / CONFIG, self.config)

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Run":
        """Opens a run directory.

        Args:
            path: of the directory.

        Raises:
            FileNotFoundError: there is no run at `path`.
            ValueError: its `config.json` is invalid, see `recu_tf.runs.run_config.read_config`.
        """
        path = Path(path)
        return cls(path, read_config(path / CONFIG))

    @classmethod
    def find_around(cls, path: str | os.PathLike) -> "Run | None":
        """Finds the run whose directory holds a file or directory, directly or in a subdirectory.

        Args:
            path: of the file or directory.

        Returns:
            The run; None if there is none.

        Raises:
            ValueError: there is a `config.json`, but it is invalid.
        """
        for directory in Path(path).resolve().parents[:2]:
            if has_run(directory):
                return cls.open(directory)
        return None

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation of the images that the network takes; None if it is not known."""
        statistics = self.config["normalization"]
        if statistics is None:
            return None
        return Normalization(tuple(statistics["mean"]), tuple(statistics["std"]))

    @property
    def chosen_on(self) -> str:
        """The images whose top-1 decides which epoch is the best, in words."""
        return str(self.config.get("chosen_on", TEST_IMAGES))

    def model_path(self, which: str) -> Path:
        """The file of the "best" or the "last" model.

        Args:
            which: of the two.

        Raises:
            ValueError: `which` is neither.
        """
        check_choice("which", which, WHICH)
        return self.path / f"{which}.keras"

    def save_model(self, model: tf.keras.Model, which: str) -> None:
        """Saves a model, whole or not at all.

        Args:
            model: to save.
            which: "best" or "last".

        Raises:
            OSError: it cannot be written.
            ValueError: `which` is neither.
        """
        with silence_initializers():
            write_aside(self.model_path(which), model.save)

    def load_model(self, which: str = "best") -> tf.keras.Model:
        """Loads the "best" or the "last" model, uncompiled.

        Args:
            which: of the two.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged or holds a different network.
        """
        path = self.model_path(which)
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist{self._explain_no_model()}.")
        try:
            model = load_with_zoo(load_keras, path)
        except inflation.TooLarge:
            raise
        except Exception as error:  # zip, JSON, HDF5 and Keras each raise their own
            raise ValueError(f"{path} is damaged: {error}") from error
        expected = (tuple(self.config["input_shape"]), (self.config["num_classes"],))
        if (model.input_shape[1:], model.output_shape[1:]) != expected:
            raise ValueError(
                f"{path} does not hold the network of config.json: it maps {model.input_shape[1:]} "
                f"to {model.output_shape[1:]}, not {expected[0]} to {expected[1]}."
            )
        return model

    def _explain_no_model(self) -> str:
        """Why the run has no file of a model, if that can be told."""
        epochs = len(self.metrics())
        if epochs:
            return f", though the run has {format_count(epochs, 'epoch')}"
        if self.config.get("imported"):
            return ""
        return ": the training stopped before its first epoch ended"

    @property
    def metrics_path(self) -> Path:
        """The file of the metrics of each epoch, see `recu_tf.runs.metrics_file`."""
        return self.path / "metrics.jsonl"

    def append_metrics(self, values: dict) -> None:
        """Appends the values of an epoch to `metrics.jsonl`.

        Raises:
            OSError: it cannot be written.
        """
        metrics_file.append_line(self.metrics_path, values)

    def metrics(self) -> list[dict]:
        """The values of each epoch from `metrics.jsonl`; damaged lines are skipped with a warning.

        An empty list if there is no such file.
        """
        return metrics_file.read_lines(self.metrics_path)

    def find_best_epoch(self) -> dict | None:
        """The values of the epoch with the best validation accuracy, the first of several.

        None if no epoch has ended.
        """
        return max(self.metrics(), key=lambda line: line["val_accuracy"], default=None)

    def remove_metrics_from(self, epoch: int) -> None:
        """Removes the lines of an epoch and all later ones from `metrics.jsonl`."""
        metrics_file.remove_lines_from(self.metrics_path, epoch)
