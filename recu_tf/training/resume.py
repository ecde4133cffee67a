"""Finding the point at which a training resumes, and checking that it can."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from recu_tf import runs
from recu_tf.runs import checkpoints
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings
from recu_tf.training.changes import SCHEDULE_SETTINGS
from recu_tf.training.setup import Prepared
from recu_tf.training.strategies import has_several_processes

__all__ = ["check_same_directory", "check_same_images", "open_run_to_resume"]

# Settings of where and how fast things run, not of what is computed. Resuming may change them.
EXECUTION_SETTINGS = (
    "data_path",
    "batch_size_test",
    "jit",
    "steps_per_execution",
    "strategy",
    "workers",
    "diagnostics",
)


def open_run_to_resume(
    settings: Settings, directory: Path, starts: Mapping[str, str | os.PathLike | None]
) -> tuple[runs.Run, Checkpoint | None]:
    """Opens a run and finds the checkpoint to resume it from.

    Args:
        settings: of the training that resumes.
        directory: of the run.
        starts: by name, `init_from` and `stage1`, the network that the run should have started
            from; not compared if None.

    Returns:
        The run and its newest checkpoint; None if it was killed before it wrote the first.

    Raises:
        ValueError: the run was imported and not trained, has different settings, has lost its
            checkpoints, or has no epochs left that new schedules could apply to.
    """
    run = runs.Run.open(directory)
    if "imported" in run.config:
        raise ValueError(
            f"{directory} was imported and holds no training to resume; start one from it with "
            f"--init-from {directory}."
        )
    previous = Settings.of_run(run)
    _check_settings(settings, previous)
    for name, path in starts.items():
        if path is not None and str(path) != run.config.get(name):
            raise ValueError(
                f"`{name}` must be {run.config.get(name)}, as in the run to resume, got {path}."
            )
    checkpoint = _load_checkpoint(run, previous)
    trained = 0 if checkpoint is None else checkpoint.epoch
    differences = settings.differences(previous)
    if settings.epochs <= trained and any(name in SCHEDULE_SETTINGS for name in differences):
        raise ValueError(
            f"`epochs` must be more than the {trained} that the run has already trained, got "
            f"{settings.epochs}: new schedules apply only to epochs that are left."
        )
    return run, checkpoint


def _check_settings(settings: Settings, previous: Settings) -> None:
    allowed = (*SCHEDULE_SETTINGS, *EXECUTION_SETTINGS)
    changed = [name for name in settings.differences(previous) if name not in allowed]
    if changed:
        raise ValueError(
            "`resume` requires the settings that the run began with, got "
            + ", ".join(
                f"{name} {getattr(settings, name)!r} instead of {getattr(previous, name)!r}"
                for name in changed
            )
            + f"; only {', '.join(allowed)} may change."
        )


def _load_checkpoint(run: runs.Run, settings: Settings) -> Checkpoint | None:
    try:
        checkpoint = checkpoints.load_newest(run.path / "checkpoints")
    except ValueError as error:
        raise ValueError(f"{error} {_advise_new_training(run, settings)}") from error
    if checkpoint is None and (run.metrics() or any(run.path.glob("*.keras"))):
        raise ValueError(
            f"{run.path} has no checkpoint to resume from, although it was trained. "
            + _advise_new_training(run, settings)
        )
    return checkpoint


def _advise_new_training(run: runs.Run, settings: Settings) -> str:
    """Names the options that start a new training from the best model that can be loaded."""
    for which in runs.WHICH:
        try:
            run.load_model(which)
        except (OSError, ValueError):
            continue
        options = ["--init-from", str(run.model_path(which))]
        options += ["--model", settings.model, "--dataset", settings.dataset]
        options += ["--data_path", settings.data_path] if settings.data_path else []
        return (
            f"Start a new training from its {which} model with {shlex.join(options)} and another "
            "--save."
        )
    return "Neither best.keras nor last.keras can be loaded: no weights are left to train further."


def check_same_images(run: runs.Run, prepared: Prepared) -> None:
    """Refuses to resume with training images other than those the run began with.

    Raises:
        ValueError: their number or the names of their classes differ.
    """
    names = prepared.images.training.class_names
    found = {
        "class_names": None if names is None else list(names),
        "training_images": prepared.images.training.count,
    }
    for name, value in found.items():
        if run.config.get(name) not in (None, value):
            raise ValueError(
                f"`data_path` must hold the images that the run began with, whose {name} were "
                f"{run.config[name]}, got {value}."
            )


def check_same_directory(strategy: tf.distribute.Strategy, first_step: int) -> None:
    """Refuses to train with processes that would start at different steps.

    Raises:
        ValueError: they would, because they do not see the same run directory.
    """
    if not has_several_processes(strategy):
        return
    own = strategy.run(lambda: tf.constant(first_step, tf.float32))
    mean = float(strategy.reduce(tf.distribute.ReduceOp.MEAN, own, axis=None))
    if mean != first_step:
        raise ValueError(
            "`directory` (--results_dir) must be the same for all workers, on a disk that they "
            f"share: this worker would start at step {first_step}, others at different steps."
        )
