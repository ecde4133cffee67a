"""Training a published network, from settings to a run directory."""

import os
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from recu_tf import data, runs, schedules
from recu_tf.metrics import Diagnostics
from recu_tf.runs import checkpoints
from recu_tf.runs.locking import locked
from recu_tf.settings import Settings
from recu_tf.training.changes import keep_changes
from recu_tf.training.errors import explained
from recu_tf.training.progress import Progress
from recu_tf.training.recorder import Bookkeeping, restore
from recu_tf.training.resume import (
    check_same_images,
    check_same_place,
    run_to_resume,
)
from recu_tf.training.setup import Prepared, prepare
from recu_tf.training.signals import Interruption
from recu_tf.training.strategies import is_chief, make_strategy, several_processes

__all__ = ["train"]


def _config(prepared: Prepared, init_from: str | os.PathLike | None) -> dict:
    dataset = data.DATASETS[prepared.settings.dataset]
    return {
        "settings": asdict(prepared.settings),
        "init_from": None if init_from is None else str(init_from),
        "num_classes": prepared.images.num_classes,
        "class_names": prepared.images.class_names,
        "training_images": prepared.images.count,
        "input_shape": prepared.whole.input_shape[1:],
        "normalization": asdict(dataset.normalization),
        "replicas": prepared.replicas,
    }


def train(
    settings: Settings,
    directory: str | os.PathLike,
    init_from: str | os.PathLike | None = None,
    resume: bool = False,
    print_freq: int = 100,
    time_estimate: bool = True,
) -> runs.Run | None:
    """Trains a network as published and keeps it in a run directory.

    On a CPU, the same settings give the same weights bit for bit, whether the training was
    interrupted and resumed or not.

    Args:
        settings: what to train and how.
        directory: the run directory to make, or to go on with.
        init_from: a run directory, a `.keras` file or a published checkpoint whose network to
            start from, with a fresh optimizer and fresh schedules: the published "finetune".
        resume: whether to go on with the run in the directory; where there is none, a new one
            begins. Several processes have to see the same directory. With other `epochs`, `lr` or
            `lr_decay_step`, the epochs to come follow the schedules of the new settings; the run's
            `config.json` keeps what has changed when.
        print_freq: steps between lines of progress within an epoch; none if 0.
        time_estimate: whether progress tells the expected end.

    Returns:
        The run, with its best and last models in it. Where several processes train, the chief's;
        the others get None.

    Raises:
        FileExistsError: the directory already holds something, and `resume` is not set.
        FileNotFoundError, ValueError: the run to start from is none, or of another network; the
            run to resume has other settings or images, no checkpoint that is whole, or no epochs
            left that other schedules could be for.
        ImportError, OSError: the data set cannot be read, the run not be written, or another
            process trains it.
        TrainingInterrupted: a signal came; what `resume` needs is saved.
        LossNotFinite: the loss became infinite or not a number.
        WorkerLost: another process of the training is gone.
    """
    directory = Path(directory)
    strategy = make_strategy(settings.strategy)
    chief = is_chief(strategy)
    resume = resume and (directory / "config.json").exists()
    if chief and not resume:
        runs.Run.check_free(directory)
    run = checkpoint = None
    # Before anything is built: that may take minutes, and another process may train meanwhile.
    with locked(directory) if chief else nullcontext(), explained(strategy):
        if resume:
            run, checkpoint = run_to_resume(settings, directory, init_from)
            init_from = run.config.get("init_from")
        prepared = prepare(settings, init_from, strategy)
        first_step = settings.start_epoch * prepared.steps
        if checkpoint is not None:
            check_same_images(run, prepared)
            restore(prepared.learner, checkpoint)
            first_step = checkpoint.epoch * prepared.steps + checkpoint.step
        check_same_place(strategy, first_step)
        if not chief:
            run = None
        elif run is None:
            run = runs.Run.create(directory, _config(prepared, init_from))
        with Interruption() as interruption:
            if chief:
                run.forget_metrics(first_step // prepared.steps)
                for line in keep_changes(run, settings, checkpoint, prepared.replicas):
                    print(line, flush=True)
            progress = Progress(
                settings.epochs, prepared.steps, first_step, print_freq, time_estimate
            )
            callbacks = _callbacks(prepared, run, checkpoint, interruption)
            _fit(prepared, first_step, callbacks + ([progress] if chief else []))
    return run


def _callbacks(
    prepared: Prepared,
    run: runs.Run | None,
    checkpoint: checkpoints.Checkpoint | None,
    interruption: Interruption,
) -> list[tf.keras.callbacks.Callback]:
    """What happens between steps, in this order; only the chief has a run to write to."""
    settings, logs = prepared.settings, None if run is None else str(run.path / "logs")
    diagnostics = Diagnostics(logs) if settings.diagnostics else None
    if checkpoint is not None:
        _restore_diagnostics(diagnostics, checkpoint)
    keep = Bookkeeping(
        run,
        prepared.whole,
        settings.epochs,
        prepared.steps,
        interruption,
        diagnostics,
        checkpoint,
        settings.start_epoch,
        prepared.images_of_epoch if settings.skip_broken else None,
        several_processes(prepared.strategy),
    )
    return [
        schedules.LearningRateScheduler(settings.epochs, **settings.learning_rate_schedule),
        schedules.TauScheduler(settings.epochs, settings.tau_min, settings.tau_max),
        *([diagnostics] if diagnostics else []),
        keep,
        *([tf.keras.callbacks.TensorBoard(logs, write_graph=False)] if logs else []),
    ]


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
