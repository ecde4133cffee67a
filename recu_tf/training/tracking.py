"""Logging a training to MLflow or Weights & Biases as well, for those who compare runs there.

What is sent: the settings; the numbers of each epoch in `metrics.jsonl`, but for those of single
layers; and at the end the best epoch. `tracking.json` in the run directory keeps the id of the run
there and how many epochs it has. A training that is resumed continues that run, and sends what is
missing; one that was begun without a log sends all its epochs.
"""

import importlib
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import tensorflow as tf

from recu_tf import json_text
from recu_tf.choices import LOGS, check_choice
from recu_tf.runs import Run
from recu_tf.runs.atomic_write import write_json
from recu_tf.runs.directories import has_run
from recu_tf.training.errors import TrainingInterrupted
from recu_tf.training.trackers import TRACKERS, Ending

__all__ = ["EpochLogger", "check_log", "track"]

FILE = "tracking.json"
MOST_SAID = 200  # characters of what a service says of an error


def check_log(log: str | None) -> None:
    """Refuses a log that cannot be written here.

    Args:
        log: one of `recu_tf.choices.LOGS`, or None.

    Raises:
        ValueError: it is something else.
        ImportError: its package is not installed.
    """
    if log is None:
        return
    check_choice("log", log, LOGS)
    try:
        importlib.import_module(log)
    except ImportError as error:
        raise ImportError(
            f"`log`: {log} cannot be imported ({error}): pip install 'recu_tf[{log}]'"
        ) from error


class EpochLogger(tf.keras.callbacks.Callback):
    """Sends each epoch once it is in `metrics.jsonl`, and at the end the best one.

    What cannot be sent, because the service is out of reach, is a warning and no reason to end a
    training: the epoch after sends it too.

    Args:
        log: one of `recu_tf.choices.LOGS`.
        directory: of the run, which need not exist yet.
        settings: by name.

    Raises:
        OSError: the service takes no run.
    """

    def __init__(self, log: str, directory: Path, settings: Mapping[str, object]):
        super().__init__()
        self.log, self.directory = log, directory
        kept = _read(directory).get(log, {})
        self.epochs = kept.get("epochs", 0)
        try:
            self.tracker = TRACKERS[log](_choose_name(directory), kept.get("id"), settings)
        except Exception as error:  # of the service's own kinds
            raise OSError(f"`log`: {log} does not take the run: {_shorten(error)}") from error

    def on_train_begin(self, logs=None):
        """Keeps the id of the run, and sends the epochs that another training has left."""
        self._keep()
        self._send_epochs()

    def on_epoch_end(self, epoch, logs=None):
        """Sends the epoch."""
        self._send_epochs()

    def finish(self, ending: Ending) -> None:
        """Sends what is left, and ends the run there."""
        if not has_run(self.directory):
            self._try(partial(self.tracker.finish, ending, {}))
            return
        self._send_epochs()
        run = Run.open(self.directory)
        best, summary = run.find_best_epoch(), {}
        if best is not None:
            summary = {"best_epoch": best["epoch"] + 1, "best_val_accuracy": best["val_accuracy"]}
        if "test" in run.config:
            summary["test_top_1"] = run.config["test"]["top_1"]
        self._try(partial(self.tracker.finish, ending, summary))

    def _send_epochs(self) -> None:
        for line in Run.open(self.directory).metrics():
            if line["epoch"] < self.epochs:
                continue
            values = {
                name: value
                for name, value in line.items()
                if name != "epoch" and isinstance(value, int | float)
            }
            number = line["epoch"] + 1
            if not self._try(partial(self.tracker.log_epoch, number, values)):
                return
            self.epochs = number
            self._keep()

    def _try(self, send: Callable[[], object]) -> bool:
        try:
            send()
        except Exception as error:  # of the service's own kinds
            warnings.warn(f"{self.log} could not be reached: {_shorten(error)}", stacklevel=2)
            return False
        return True

    def _keep(self) -> None:
        kept = _read(self.directory)
        kept[self.log] = {"id": self.tracker.run_id, "epochs": self.epochs}
        write_json(self.directory / FILE, kept)


def _shorten(error: Exception) -> str:
    """What a service says, which may be a page."""
    return textwrap.shorten(str(error), MOST_SAID, placeholder=" ...")


def _read(directory: Path) -> dict[str, dict]:
    path = directory / FILE
    try:
        kept = json_text.parse(path.read_text("utf-8"))
        if not (isinstance(kept, dict) and all(isinstance(log, dict) for log in kept.values())):
            raise ValueError("it must hold an id and a number of epochs for each log")
        return kept
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}. Without it, a new run begins.") from error


def _choose_name(directory: Path) -> str:
    """The name of a run directory, below those it is a seed or a stage of."""
    *parents, name = directory.resolve().parts
    while parents and re.fullmatch(r"(seed|stage)\d+", name.split("/")[0]):
        name = f"{parents.pop()}/{name}"
    return name


@contextmanager
def track(
    log: str | None, directory: Path, settings: Mapping[str, object]
) -> Iterator[list[EpochLogger]]:
    """Begins or continues a run in a log, which ends as the context does.

    Args:
        log: one of `recu_tf.choices.LOGS`; None logs nothing.
        directory: of the run, which the context may create.
        settings: by name.

    Yields:
        The callbacks that log.

    Raises:
        OSError: the service takes no run.
    """
    if log is None:
        yield []
        return
    logger = EpochLogger(log, directory, settings)
    ending: Ending = "failed"
    try:
        yield [logger]
        ending = "finished"
    except (TrainingInterrupted, KeyboardInterrupt):
        ending = "interrupted"
        raise
    finally:
        logger.finish(ending)
