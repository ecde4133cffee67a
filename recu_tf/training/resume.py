"""Finding out where a training goes on, and whether it can."""

import os
import shlex
from pathlib import Path

import tensorflow as tf

from recu_tf import runs
from recu_tf.runs import checkpoints
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.settings import Settings
from recu_tf.training.changes import RESTATED
from recu_tf.training.setup import Prepared
from recu_tf.training.strategies import several_processes

__all__ = [
    "MAY_CHANGE",
    "check_same_images",
    "check_same_place",
    "run_to_resume",
]

# What a resumed training may do otherwise: where things run and lie, not what is computed.
MAY_CHANGE = (
    "data_path",
    "batch_size_test",
    "jit",
    "steps_per_execution",
    "strategy",
    "workers",
    "diagnostics",
)


def run_to_resume(
    settings: Settings, directory: Path, init_from: str | os.PathLike | None
) -> tuple[runs.Run, Checkpoint | None]:
    """Opens a run to go on with.

    Args:
        settings: of the training that goes on.
        directory: of the run.
        init_from: what it is said to have started from; not compared if None.

    Returns:
        The run and its newest checkpoint; None where it was killed before it wrote the first.

    Raises:
        ValueError: it is no training, has other settings, has lost its checkpoints, or has no
            epochs left that other schedules could be for.
    """
    run = runs.Run.open(directory)
    if "imported" in run.config:
        raise ValueError(
            f"{directory} was imported and holds no training to resume; --init-from {directory} "
            "starts one from it."
        )
    kept = Settings.of_run(run)
    allowed = (*RESTATED, *MAY_CHANGE)
    changed = [name for name in settings.differences(kept) if name not in allowed]
    if changed:
        raise ValueError(
            "`resume` goes on with the settings that the run began with, got "
            + ", ".join(
                f"{name} {getattr(settings, name)!r} for {getattr(kept, name)!r}"
                for name in changed
            )
            + f"; {', '.join(allowed)} may change."
        )
    if init_from is not None and str(init_from) != run.config.get("init_from"):
        raise ValueError(
            f"`init_from` of the run to resume is {run.config.get('init_from')}, got {init_from}."
        )
    try:
        checkpoint = checkpoints.load_newest(run.path / "checkpoints")
    except ValueError as error:
        raise ValueError(f"{error} {_starting_again(run, kept)}") from error
    if checkpoint is None and (run.metrics() or any(run.path.glob("*.keras"))):
        raise ValueError(
            f"{directory} has no checkpoint to go on from, although it was trained. "
            + _starting_again(run, kept)
        )
    done = 0 if checkpoint is None else checkpoint.epoch
    if settings.epochs <= done and any(name in RESTATED for name in settings.differences(kept)):
        raise ValueError(
            f"`epochs` must be more than the {done} that the run has behind it, got "
            f"{settings.epochs}: only epochs to come can follow other schedules."
        )
    return run, checkpoint


def _starting_again(run: runs.Run, settings: Settings) -> str:
    """The way on from a run without checkpoints: the options that start from its best model."""
    for which in runs.WHICH:
        try:
            run.load_model(which)
        except (OSError, ValueError):
            continue
        options = ["--init-from", str(run.model_path(which))]
        options += ["--model", settings.model, "--dataset", settings.dataset]
        options += ["--data_path", settings.data_path] if settings.data_path else []
        return (
            f"{shlex.join(options)} and another --save start a new training from its {which} model."
        )
    return "Neither best.keras nor last.keras is whole: nothing is left to train further."


def check_same_images(run: runs.Run, prepared: Prepared) -> None:
    """Refuses to go on with other training images than before.

    Raises:
        ValueError: their number or the names of their classes are others.
    """
    names = prepared.images.class_names
    now = {
        "class_names": None if names is None else list(names),
        "training_images": prepared.images.count,
    }
    for name, value in now.items():
        if run.config.get(name) not in (None, value):
            raise ValueError(
                f"`data_path` must hold the images that the run began with, whose {name} were "
                f"{run.config[name]}, got {value}."
            )


def check_same_place(strategy: tf.distribute.Strategy, first_step: int) -> None:
    """Refuses to train with processes that would begin at different steps.

    Raises:
        ValueError: they do, since they do not see the same run directory.
    """
    if not several_processes(strategy):
        return
    own = strategy.run(lambda: tf.constant(first_step, tf.float32))
    mean = float(strategy.reduce(tf.distribute.ReduceOp.MEAN, own, axis=None))
    if mean != first_step:
        raise ValueError(
            "`directory` (--results_dir) must be the same for all workers, on a disk that they "
            f"share: this one would go on at step {first_step}, others elsewhere."
        )
