"""Training a published network, from settings to a run directory."""

import os
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from recu_tf import checkpoints, data, runs, schedules
from recu_tf.bookkeeping import Bookkeeping, restore
from recu_tf.interruption import Interruption
from recu_tf.metrics import Diagnostics
from recu_tf.preparation import Prepared, prepare
from recu_tf.progress import Progress
from recu_tf.settings import Settings
from recu_tf.strategies import WorkerLost, is_chief, make_strategy, several_processes

__all__ = ["MAY_CHANGE", "train"]

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

# What TensorFlow raises, at one time or another, when a process it adds up with is gone.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


def _opened(
    settings: Settings, directory: Path, init_from: str | os.PathLike | None
) -> tuple[runs.Run, checkpoints.Checkpoint | None]:
    """A run to go on with, and where."""
    run = runs.Run.open(directory)
    kept = Settings.of_run(run)
    changed = [name for name in settings.differences(kept) if name not in MAY_CHANGE]
    if changed:
        raise ValueError(
            "`resume` goes on with the settings that the run began with, got "
            + ", ".join(
                f"{name} {getattr(settings, name)!r} for {getattr(kept, name)!r}"
                for name in changed
            )
            + f"; {', '.join(MAY_CHANGE)} may change."
        )
    if init_from is not None and str(init_from) != run.config.get("init_from"):
        raise ValueError(
            f"`init_from` of the run to resume is {run.config.get('init_from')}, got {init_from}."
        )
    return run, checkpoints.load_newest(run.path / "checkpoints")


def _config(prepared: Prepared, init_from: str | os.PathLike | None) -> dict:
    dataset = data.DATASETS[prepared.settings.dataset]
    return {
        "settings": asdict(prepared.settings),
        "init_from": None if init_from is None else str(init_from),
        "num_classes": prepared.images.num_classes,
        "class_names": prepared.images.class_names,
        "input_shape": prepared.whole.input_shape[1:],
        "normalization": asdict(dataset.normalization),
    }


def train(
    settings: Settings,
    directory: str | os.PathLike,
    init_from: str | os.PathLike | None = None,
    resume: bool = False,
    print_freq: int = 100,
    time_estimate: bool = True,
) -> runs.Run:
    """Trains a network as published and keeps it in a run directory.

    On a CPU, the same settings give the same weights bit for bit, whether the training was
    interrupted and resumed or not.

    Args:
        settings: what to train and how.
        directory: the run directory to make, or to go on with.
        init_from: a run directory, a `.keras` file or a published checkpoint whose network to
            start from, with a fresh optimizer and fresh schedules: the published "finetune".
        resume: whether to go on with the run in the directory; where there is none, a new one
            begins.
        print_freq: steps between lines of progress within an epoch; none if 0.
        time_estimate: whether progress tells the expected end.

    Returns:
        The run, with its best and last models in it. Where several processes train, it is the
        chief's.

    Raises:
        FileExistsError: the directory already holds something, and `resume` is not set.
        FileNotFoundError, ValueError: the run to start from is none, or of another network; the
            run to resume has other settings, or only damaged checkpoints.
        ImportError, OSError: the data set cannot be read, or the run not be written.
        TrainingInterrupted: a signal came; what `resume` needs is saved.
        LossNotFinite: the loss became infinite or not a number.
        WorkerLost: another process of the training is gone.
    """
    directory = Path(directory)
    strategy = make_strategy(settings.strategy)
    chief = is_chief(strategy)
    run = checkpoint = None
    if resume and (directory / "config.json").exists():
        run, checkpoint = _opened(settings, directory, init_from)
        init_from = run.config.get("init_from")
    elif chief:
        runs.Run.check_free(directory)
    prepared = prepare(settings, init_from, strategy)
    first_step = settings.start_epoch * prepared.steps
    diagnostics = None
    if settings.diagnostics:
        diagnostics = Diagnostics(str(directory / "logs") if chief else None)
    if checkpoint is not None:
        restore(prepared.learner, checkpoint)
        first_step = checkpoint.epoch * prepared.steps + checkpoint.step
        _restore_diagnostics(diagnostics, checkpoint)
    if run is None and chief:
        run = runs.Run.create(directory, _config(prepared, init_from))
    elif chief:
        run.forget_metrics(first_step // prepared.steps)
    with Interruption() as interruption:
        keep = Bookkeeping(
            run if chief else None,
            prepared.whole,
            settings.epochs,
            prepared.steps,
            interruption,
            diagnostics,
            checkpoint,
            prepared.images_of_epoch if settings.skip_broken else None,
            several_processes(strategy),
        )
        progress = Progress(settings.epochs, prepared.steps, first_step, print_freq, time_estimate)
        callbacks = [
            schedules.LearningRateScheduler(settings.epochs, **settings.learning_rate_schedule),
            schedules.TauScheduler(settings.epochs, settings.tau_min, settings.tau_max),
            *([diagnostics] if diagnostics else []),
            keep,
        ]
        if chief:
            logs = str(directory / "logs")
            callbacks += [progress, tf.keras.callbacks.TensorBoard(logs, write_graph=False)]
        try:
            _fit(prepared, first_step, callbacks)
        except tf.errors.OpError as error:
            raise _explained(error, several_processes(strategy)) from error
    return runs.Run.open(directory)


def _restore_diagnostics(
    diagnostics: Diagnostics | None, checkpoint: checkpoints.Checkpoint
) -> None:
    kept = {
        name.removeprefix("diagnostics/"): value
        for name, value in checkpoint.arrays.items()
        if name.startswith("diagnostics/")
    }
    if diagnostics is not None and kept:
        diagnostics.set_state(kept)


def _explained(error: tf.errors.OpError, together: bool) -> Exception:
    """What an error of TensorFlow's runtime means, in one line where that is known."""
    broken = data.broken_image(error)
    if broken is not None:
        return ValueError(broken)
    if isinstance(error, tf.errors.ResourceExhaustedError) and "No space left" in error.message:
        return OSError(f"TensorBoard's logs could not be written: {error.message}")
    if together and isinstance(error, LOST):
        return WorkerLost(
            "Another worker is gone, so the training cannot go on. Starting all of them with "
            "--resume goes on from the last checkpoint."
        )
    return error


def _fit(prepared: Prepared, first_step: int, callbacks: list) -> None:
    """Trains from a step on to the end; an epoch that is half over is finished by itself."""
    epochs, steps = prepared.settings.epochs, prepared.steps
    epoch, step = divmod(first_step, steps)
    parts = [(epoch, epoch + 1, steps - step), (epoch + 1, epochs, steps)] if step else []
    for first, end, length in parts or [(epoch, epochs, steps)]:
        if first < end:
            prepared.learner.fit(
                prepared.batches(first * steps + steps - length),
                initial_epoch=first,
                epochs=end,
                steps_per_epoch=length,
                validation_data=prepared.validation,
                verbose=0,
                callbacks=callbacks,
            )
