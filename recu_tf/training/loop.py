"""Training a network, from settings to a run directory."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import tensorflow as tf

from recu_tf import runs, schedules
from recu_tf.data import Normalization
from recu_tf.metrics import Diagnostics
from recu_tf.quantizers import ReCU
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.runs.directories import has_run
from recu_tf.runs.locking import lock_directory
from recu_tf.settings import Settings
from recu_tf.training.changes import record_changes
from recu_tf.training.errors import explain_errors
from recu_tf.training.final_test import measure_best_model
from recu_tf.training.learner_state import restore_state
from recu_tf.training.own_training import check_same_own, find_normalization, read_own
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
from recu_tf.training.tracking import check_log, track

__all__ = ["train"]


def train(
    settings: Settings,
    directory: str | os.PathLike,
    *,
    model: tf.keras.Model | None = None,
    data: object = None,
    class_names: Sequence[str] | None = None,
    normalization: Normalization | Literal["pixels"] | None = None,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    init_from: str | os.PathLike | None = None,
    stage1: str | os.PathLike | None = None,
    resume: bool = False,
    print_freq: int = 100,
    time_estimate: bool = True,
    log: Literal["mlflow", "wandb"] | None = None,
) -> runs.Run | None:
    """Trains a network as published, or any Keras classifier, and saves it in a run directory.

    On a CPU the same settings give the same weights bit for bit, also if the training was
    interrupted and resumed.

    A model of the caller is copied, and stays unchanged; the trained one is in the run. Its layers
    keep their precisions, and what their regularizers give is part of the loss. `weight_decay`
    applies to its kernels, see `recu_tf.models.select_kernels`. Tau is scheduled if it has ReCU.

    Args:
        settings: what to train and how.
        directory: the run directory to create or to resume.
        model: to train instead of the one that the settings name: a functional or sequential Keras
            model that is built and maps images of a fixed size to logits or probabilities of a
            softmax (batch, classes), with its weights to begin with. `settings.model` becomes
            "own".
        data: (training, validation), to train on instead of the data set that the settings name,
            and to choose the best epoch on. Each is (images, labels) in arrays, or a
            `tf.data.Dataset` of batches of (images, labels) of known number. Images are numbers
            (count, height, width, channels), and reach the network in float32 as they are: nothing
            is normalised or augmented. Labels are integers from 0, or one-hot. Arrays are shuffled
            in each epoch; batches of a data set come in its own order, and `batch_size` does not
            matter to them. `settings.dataset` becomes "own".
        class_names: of `data`, in the order of the labels; None means the `class_names` of the
            training data set, if it has some.
        normalization: that the images of `data` have, for the export; "pixels" if they are pixels
            from 0 to 255; None if it is not known.
        callbacks: of the caller, which run after all others. Their `model` is a
            `recu_tf.training.step.Learner`, whose `network` is the network in training and whose
            `optimizer` and `stop_training` are as usual. If one stops the training, the run is
            complete up to there, and `resume` goes on. What they remember is not kept in
            checkpoints.
        init_from: path of the network to start from, in any format of `recu_tf.networks.load`, with
            a new optimizer and new schedules (the published "finetune").
        stage1: path of the network of a first stage, with real kernels, from whose weights the
            second begins, see `recu_tf.models.build_second_stage`; not together with `init_from`.
        resume: whether to resume the run in the directory; if there is none, a new one begins.
            `model` and `data` have to be given again; the weights come from the checkpoint. If
            several processes train, they have to see the same directory. With other `epochs`, `lr`
            or `lr_decay_step`, the remaining epochs follow the schedules of the new settings, and
            the run's `config.json` keeps what has changed and when.
        print_freq: steps between progress lines within an epoch; 0 prints none.
        time_estimate: whether progress lines show the expected end.
        log: where the training is logged beside TensorBoard: MLflow or Weights & Biases, whose
            environment variables say where that is. A run that is resumed is continued there.

    Returns:
        The run, with its best and last models. If several processes train, only the chief gets the
        run; the others get None.

    Raises:
        FileExistsError: the directory is not empty, and `resume` is not set.
        FileNotFoundError, ValueError: the network to start from is missing or a different one; the
            run to resume has different settings, model or images, no checkpoint that can be loaded,
            or no epochs left that new schedules could apply to; `model`, `data` or `callbacks`
            cannot be used.
        ImportError, OSError: the data set cannot be read, the run cannot be written, another
            process is training it, or the `log` is not installed or takes no run.
        TrainingInterrupted: a signal was received; everything that `resume` needs is saved.
        LossNotFinite: the loss became infinite or not a number.
        WorkerLost: another process of the training is gone.
    """
    directory = Path(directory)
    check_log(log)
    strategy = make_strategy(settings.strategy)
    chief = is_chief(strategy)
    resume = resume and has_run(directory)
    if chief and not resume:
        runs.Run.check_free(directory)
    settings, own = read_own(
        settings, model=model, data=data, class_names=class_names, normalization=normalization
    )
    _check_callbacks(callbacks)
    run = checkpoint = None
    starts = {"init_from": init_from, "stage1": stage1}
    # Locked before anything is built: that may take minutes, in which another process might train.
    with lock_directory(directory) if chief else nullcontext(), explain_errors(strategy):
        if resume:
            run, checkpoint = open_run_to_resume(settings, directory, starts)
            starts = {name: run.config.get(name) for name in starts}
            own = check_same_own(run, own)
        prepared = prepare(settings, **starts, strategy=strategy, own=own)
        first_step = settings.start_epoch * prepared.steps
        if checkpoint is not None:
            check_same_images(run, prepared)
            restore_state(prepared.learner, checkpoint)
            first_step = checkpoint.epoch * prepared.steps + checkpoint.step
        check_same_directory(strategy, first_step)
        config = _make_config(prepared, starts)
        # Begun before the run is created: where it cannot be, nothing is left behind.
        with track(log if chief else None, directory, {**config["settings"], **starts}) as loggers:
            if not chief:
                run = None
            elif run is None:
                run = runs.Run.create(directory, config)
            with SignalHandler() as signal_handler:
                all_callbacks = _make_callbacks(prepared, run, checkpoint, signal_handler)
                if chief:
                    run.remove_metrics_from(first_step // prepared.steps)
                    for line in record_changes(run, settings, checkpoint, prepared.replicas):
                        print(line, flush=True)
                    progress = Progress(
                        epochs=settings.epochs,
                        steps=prepared.steps,
                        first_step=first_step,
                        chosen_on=prepared.images.chosen_on.split()[0],
                        print_freq=print_freq,
                        time_estimate=time_estimate,
                    )
                    all_callbacks.append(progress)
                _fit(prepared, first_step, [*all_callbacks, *loggers, *callbacks])
            if run is not None and prepared.images.test is not None and run.metrics():
                measure_best_model(run, prepared.images.test)
    return run


def _check_callbacks(callbacks: Sequence[tf.keras.callbacks.Callback]) -> None:
    if not isinstance(callbacks, Sequence):
        raise ValueError(f"`callbacks` must be a list of callbacks, got {callbacks!r}.")
    for callback in callbacks:
        if not isinstance(callback, tf.keras.callbacks.Callback):
            raise ValueError(
                f"`callbacks` must be instances of tf.keras.callbacks.Callback, got {callback!r}."
            )


def _make_config(prepared: Prepared, starts: dict[str, str | os.PathLike | None]) -> dict:
    settings, training = prepared.settings, prepared.images.training
    normalization = find_normalization(settings, prepared.own)
    return {
        "settings": asdict(settings),
        **{name: None if path is None else str(path) for name, path in starts.items()},
        "num_classes": training.num_classes,
        "class_names": training.class_names,
        "training_images": training.count,
        "chosen_on": prepared.images.chosen_on,
        "input_shape": prepared.saved_network.input_shape[1:],
        "normalization": None if normalization is None else asdict(normalization),
        "replicas": prepared.replicas,
        "own": prepared.own.describe(),
    }


def _make_callbacks(
    prepared: Prepared,
    run: runs.Run | None,
    checkpoint: Checkpoint | None,
    signal_handler: SignalHandler,
) -> list[tf.keras.callbacks.Callback]:
    """The callbacks in the order in which they run; only the chief has a run to write to."""
    settings, logs = prepared.settings, None if run is None else str(run.path / "logs")
    has_recu = any(isinstance(part, ReCU) for part in prepared.learner.network.submodules)
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
        schedules.LearningRateScheduler(
            settings.epochs, steps_per_epoch=prepared.steps, **settings.learning_rate_schedule
        ),
        *([tau] if has_recu else []),
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
                prepared.batches(first * steps + steps - length, end),
                initial_epoch=first,
                epochs=end,
                steps_per_epoch=length,
                validation_data=prepared.images.validation,
                verbose=0,
                callbacks=callbacks,
            )
        if prepared.learner.stop_training:
            break
