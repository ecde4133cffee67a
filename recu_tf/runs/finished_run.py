"""Making a run directory of a network that was trained elsewhere."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf

from recu_tf.runs.directories import create_directory
from recu_tf.runs.locking import lock_directory
from recu_tf.runs.run import LEFTOVERS, WHICH, Run

__all__ = ["write_finished_run"]


def write_finished_run(
    directory: str | os.PathLike,
    config: dict,
    network: tf.keras.Model,
    metrics: Iterable[dict] = (),
) -> Run:
    """Creates a run directory that appears complete or not at all.

    Args:
        directory: of the run.
        config: see `Run.create`.
        network: both the best and the last of the run.
        metrics: the values of each epoch, see `recu_tf.runs.metrics_file`.

    Raises:
        FileExistsError: the directory is not empty.
        OSError: it cannot be written, or another process is training in it.
    """
    directory = Run.check_free(Path(directory).resolve())
    create_directory(directory.parent, directory)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".unfinished") as aside:
        run = Run.create(Path(aside) / "run", config)
        for values in metrics:
            run.append_metrics(values)
        for which in WHICH:
            run.save_model(network, which)
        # Locked, so that no training that has just begun there loses its lock.
        with lock_directory(directory):
            for name in LEFTOVERS:
                (directory / name).unlink(missing_ok=True)
            os.replace(run.path, directory)
    return Run.open(directory)
