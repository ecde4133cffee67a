"""Training a published network, from settings to a run directory."""

import os
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from recu_tf import choices, data, runs, schedules
from recu_tf.metrics import Diagnostics
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.runs.locking import lock_directory
from recu_tf.settings import Settings
from recu_tf.training.changes import record_changes
from recu_tf.training.errors import explain_errors
from recu_tf.training.learner_state import restore_state
from recu_tf.training.progress import Progress
from recu_tf.training.recorder import Recorder
from recu_tf.training.resume import (
    check_same_directory,
    check_same_images,
    open_run_to_resume,
)
from recu_tf.training.setup import Prepared, prepare
from recu_tf.training.signals import SignalHandler
from recu_tf.training.strategies import is_chief, make_strategy

__all__ = ["train"]


def train(
    settings: Settings,
    directory: str | os.PathLike,
    *,
    init_from: str | os.PathLike | None = None,
    stage1: str | os.PathLike | None = None,
    resume: bool = False,
    print_freq: int = 100,
    time_estimate: bool = True,
) -> runs.Run | None:
    """Trains a network as published and saves it in a run directory.

    On a CPU the same settings give the same weights bit for bit, also if the training was
    interrupted and resumed.

    Args:
        settings: what to train and how.
        directory: the run directory to create or to resume.
        init_from: path of the network to start from, in any format of `recu_tf.networks.load`, with
            a new optimizer and new schedules (the published "finetune").
        stage1: path of the network of a first stage, with real kernels, from whose weights the
            second begins, see `recu_tf.models.binarize_kernels`; not together with `init_from`.
        resume: whether to resume the run in the directory; if there is none, a new one begins. If
            several processes train, they have to see the same directory. With other `epochs`, `lr`
            or `lr_decay_step`, the remaining epochs follow the schedules of the new settings, and
            the run's `config.json` keeps what has changed and when.
        print_freq: steps between progress lines within an epoch; 0 prints none.
        time_estimate: whether progress lines show the expected end.

    Returns:
        The run, with its best and last models. If several processes train, only the chief gets the
        run; the others get None.

    Raises:
        FileExistsError: the directory is not empty, and `resume` is not set.
        FileNotFoundError, ValueError: the network to start from is missing or a different one; the
            run to resume has different settings or images, no checkpoint that can be loaded, or no
            epochs left that new schedules could apply to.
        ImportError, OSError: the data set cannot be read, the run cannot be written, or another
            process is training it.
        TrainingInterrupted: a signal was received; everything that `resume` needs is saved.
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
    starts = {"init_from": init_from, "stage1": stage1}
    # Locked before anything is built: that may take minutes, in which another process might train.
    with lock_directory(directory) if chief else nullcontext(), explain_errors(strategy):
        if resume:
            run, checkpoint = open_run_to_resume(settings, directory, starts)
            starts = {name: run.config.get(name) for name in starts}
        prepared = prepare(settings, **starts, strategy=strategy)
        first_step = settings.start_epoch * prepared.steps
        if checkpoint is not None:
            check_same_images(run, prepared)
            restore_state(prepared.learner, checkpoint)
            first_step = checkpoint.epoch * prepared.steps + checkpoint.step
        check_same_directory(strategy, first_step)
        if not chief:
            run = None
        elif run is None:
            run = runs.Run.create(directory, _make_config(prepared, starts))
        with SignalHandler() as signal_handler:
            callbacks = _make_callbacks(prepared, run, checkpoint, signal_handler)
            if chief:
                run.remove_metrics_from(first_step // prepared.steps)
                for line in record_changes(run, settings, checkpoint, prepared.replicas):
                    print(line, flush=True)
                progress = Progress(
                    epochs=settings.epochs,
                    steps=prepared.steps,
                    first_step=first_step,
                    print_freq=print_freq,
                    time_estimate=time_estimate,
                )
                callbacks.append(progress)
            _fit(prepared, first_step, callbacks)
    return run


def _make_config(prepared: Prepared, starts: dict[str, str | os.PathLike | None]) -> dict:
    dataset = data.DATASETS[prepared.settings.dataset]
    return {
        "settings": asdict(prepared.settings),
        **{name: None if path is None else str(path) for name, path in starts.items()},
        "num_classes": prepared.images.num_classes,
        "class_names": prepared.images.class_names,
        "training_images": prepared.images.count,
        "input_shape": prepared.saved_network.input_shape[1:],
        "normalization": asdict(dataset.normalization),
        "replicas": prepared.replicas,
    }


def _make_callbacks(
    prepared: Prepared,
    run: runs.Run | None,
    checkpoint: Checkpoint | None,
    signal_handler: SignalHandler,
) -> list[tf.keras.callbacks.Callback]:
    """The callbacks in the order in which they run; only the chief has a run to write to."""
    settings, logs = prepared.settings, None if run is None else str(run.path / "logs")
    tau = schedules.TauScheduler(settings.epochs, settings.tau_min, settings.tau_max)
    diagnostics = Diagnostics(logs) if settings.diagnostics else None
    recorder = Recorder(
        run,
        prepared,
        signal_handler=signal_handler,
        diagnostics=diagnostics,
        checkpoint=checkpoint,
    )
    return [
        schedules.LearningRateScheduler(settings.epochs, **settings.learning_rate_schedule),
        *([tau] if settings.network_precision == choices.BINARY else []),
        *([diagnostics] if diagnostics else []),
        recorder,
        *([tf.keras.callbacks.TensorBoard(logs, write_graph=False)] if logs else []),
    ]


def _fit(prepared: Prepared, first_step: int, callbacks: list) -> None:
    """Trains from a step to the end; the rest of an epoch that was begun is trained on its own."""
    epochs, steps = prepared.settings.epochs, prepared.steps
    epoch, step = divmod(first_step, steps)
    spans = [(epoch, epoch + 1, steps - step), (epoch + 1, epochs, steps)] if step else []
    for first, end, length in spans or [(epoch, epochs, steps)]:
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
