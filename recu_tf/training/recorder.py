"""What a training writes down as it goes: metrics, models, and checkpoints to go on from."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from recu_tf.metrics import Diagnostics
from recu_tf.runs import Run, checkpoints
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.training.signals import Interruption, TrainingInterrupted
from recu_tf.training.step import Learner

__all__ = ["Bookkeeping", "LossNotFinite", "restore"]

CHECKPOINT_SECONDS = 600  # between checkpoints within an epoch


class LossNotFinite(Exception):
    """The loss became infinite or not a number, and with it the weights."""

    exit_code = 3


def _variables(learner: Learner) -> dict[str, list[tf.Variable]]:
    """Every variable that a step changes, by kind."""
    optimizer = learner.optimizer
    found = {
        "network": learner.network.weights,
        "optimizer": list(optimizer.variables),
        "metrics": [variable for metric in learner.metrics for variable in metric.weights],
    }
    if isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
        state = optimizer._loss_scale  # Keras has no public way to set it
        found["loss_scale"] = [state.current_loss_scale, state.counter]
    return found


def restore(learner: Learner, checkpoint: Checkpoint) -> None:
    """Gives a learner's network and optimizer the values of a checkpoint.

    Args:
        learner: compiled, with its optimizer built.
        checkpoint: of the same training.

    Raises:
        ValueError: it is of another network or optimizer.
    """
    for kind, variables in _variables(learner).items():
        for index, variable in enumerate(variables):
            value = checkpoint.arrays.get(f"{kind}/{index}")
            if value is None or value.shape != tuple(variable.shape):
                raise ValueError(f"The checkpoint is of another training: {variable.name}.")
            variable.assign(value)


class Bookkeeping(tf.keras.callbacks.Callback):
    """Writes each epoch's line of metrics, the last and best models, and checkpoints.

    Checkpoints come before the first step, at the end of each epoch and, where epochs are long,
    every ten minutes. The models are written at the end of the training and before; but where
    epochs are short, writing models would take a good part of them. So after one is written, the
    next waits until training has gone on for 20 times as long, and the best weights are kept until
    then, in memory and in the checkpoints. After a signal the step is finished, a checkpoint
    written and the training left; a loss or weights that are not finite end it and leave what was
    written before.

    Args:
        run: where to write; None where another process is the chief and writes.
        whole: a network in float32 outside any strategy, to write models with.
        epochs: of the whole training.
        steps: of an epoch.
        interruption: tells of signals.
        diagnostics: whose state belongs to the checkpoints; None without.
        checkpoint: what the training goes on from, if it does.
        start_epoch: with which the training begins, if there is no checkpoint.
        images: of an epoch, to count those that were skipped; not counted if None.
        together: whether several processes train, which can only write between epochs: all of
            them have a part in reading the averages of batch norms.
    """

    PATIENCE = 20

    def __init__(
        self,
        run: Run | None,
        whole: tf.keras.Model,
        epochs: int,
        steps: int,
        interruption: Interruption,
        diagnostics: Diagnostics | None = None,
        checkpoint: Checkpoint | None = None,
        start_epoch: int = 0,
        images: int | None = None,
        together: bool = False,
    ):
        super().__init__()
        self.run = run
        self.whole = whole
        self.epochs = epochs
        self.steps = steps
        self.interruption = interruption
        self.diagnostics = diagnostics
        self.images = images
        self.together = together
        self.checkpoint = checkpoint
        self.fresh = start_epoch if checkpoint is None else None
        progress = {} if checkpoint is None else checkpoint.progress
        self.best = progress.get("best", -math.inf)
        self.seconds = progress.get("seconds", 0.0)
        self.best_weights = None
        if checkpoint is not None and "best/0" in checkpoint.arrays:
            self.best_weights = [
                checkpoint.arrays[f"best/{index}"] for index in range(len(whole.weights))
            ]
        self.next_models = 0.0
        self.directory: Path | None = None if run is None else run.path / "checkpoints"

    def on_train_begin(self, logs=None):
        """Writes the first checkpoint, so that a run without any is one that has lost them."""
        if self.fresh is not None:
            self.started = time.perf_counter()
            self._save(self.fresh, 0, self._read())
            self.fresh = None

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock; brings back the metrics of an epoch that goes on."""
        self.epoch, self.first = epoch, 0
        # A checkpoint at the start of an epoch holds the metrics of the one before.
        if self.checkpoint is not None and self.checkpoint.step:
            self.first = self.checkpoint.step
            values = self.checkpoint.arrays
            for index, variable in enumerate(_variables(self.model)["metrics"]):
                variable.assign(values[f"metrics/{index}"])
        else:
            self.seconds = 0.0
        self.checkpoint = None
        self.started = time.perf_counter() - self.seconds
        self.next_checkpoint = time.perf_counter() + CHECKPOINT_SECONDS

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the loss and at the clock, and hears signals."""
        self.step = step = self.first + batch + 1
        if not math.isfinite(logs["loss"]):
            replicas = self.model.distribute_strategy.num_replicas_in_sync
            finite = int(float(self.model.finite_steps.result())) // replicas
            raise self._not_finite("The loss is", finite + 1)
        if step == self.steps and self.images is not None:
            # Now: the evaluation that follows counts anew.
            self.skipped = self.images - round(float(self.model.loss_mean.count.numpy()))
        if step == self.steps or self.together:
            return
        if self.interruption.received is not None:
            self._write_best()
            self._save(self.epoch, step, self._read())
            self._leave(f"in epoch {self.epoch + 1} after step {step} of {self.steps}")
        if time.perf_counter() >= self.next_checkpoint:
            self._save(self.epoch, step, self._read())
            self.next_checkpoint = time.perf_counter() + CHECKPOINT_SECONDS

    def on_epoch_end(self, epoch, logs=None):
        """Writes down the epoch."""
        if self.images is not None:
            logs["skipped"] = self.skipped
        if "val_accuracy" not in logs:
            raise ValueError("`data_path`: not one of the test images can be read.")
        if not math.isfinite(logs["val_loss"]):
            raise self._not_finite("The loss on the test images is", self.step)
        arrays = self._read()
        weights = [arrays[f"network/{index}"] for index in range(len(self.whole.weights))]
        if logs["val_accuracy"] > self.best:
            self.best = float(logs["val_accuracy"])
            self.best_weights = weights
        now = time.perf_counter()
        values = {name: float(value) for name, value in logs.items()}
        line = {"epoch": epoch, **values, "seconds": round(now - self.started, 3)}
        if self.diagnostics is not None:
            line["layers"] = self.diagnostics.layers
        finished = epoch + 1 == self.epochs
        if finished or now >= self.next_models:
            self._write_best()
            self._as_chief(lambda run: self._write_model(run, weights, "last"))
            end = time.perf_counter()
            self.next_models = end + self.PATIENCE * (end - now)
        self._as_chief(lambda run: run.append_metrics(line))
        self._save(epoch + 1, 0, arrays)
        if self.interruption.received is not None and not finished:
            self._write_best()
            self._leave(f"after epoch {epoch + 1}")

    def _as_chief(self, write: Callable[[Run], None]) -> None:
        if self.run is not None:
            write(self.run)

    def _write_model(self, run: Run, weights: list[np.ndarray], which: str) -> None:
        self.whole.set_weights(weights)
        run.save_model(self.whole, which)

    def _write_best(self) -> None:
        if self.best_weights is not None:
            best, self.best_weights = self.best_weights, None
            self._as_chief(lambda run: self._write_model(run, best, "best"))

    def _read(self) -> dict[str, np.ndarray]:
        # Where several processes train, reading averages them: all have to read, in one order.
        arrays = {
            f"{kind}/{index}": variable.numpy()
            for kind, variables in _variables(self.model).items()
            for index, variable in enumerate(variables)
        }
        # A step's loss is that before it changes the weights.
        if not all(np.isfinite(v).all() for k, v in arrays.items() if k.startswith("network/")):
            raise self._not_finite("The weights are", self.step)
        return arrays

    def _save(self, epoch: int, step: int, arrays: dict[str, np.ndarray]) -> None:
        if self.best_weights is not None:
            arrays.update({f"best/{index}": one for index, one in enumerate(self.best_weights)})
        if self.diagnostics is not None:
            state = self.diagnostics.get_state()
            arrays.update({f"diagnostics/{name}": value for name, value in state.items()})
        seconds = time.perf_counter() - self.started if step else 0.0
        progress = {"best": self.best, "seconds": seconds}
        if self.directory is not None:
            checkpoints.save(self.directory, Checkpoint(epoch, step, arrays, progress))

    def _leave(self, where: str) -> None:
        number = self.interruption.received
        raise TrainingInterrupted(f"{number.name}: stopped {where}, saved", number)

    def _not_finite(self, what: str, step: int) -> LossNotFinite:
        return LossNotFinite(
            f"{what} not finite in epoch {self.epoch + 1}, step {step} of {self.steps}. "
            "What was saved before is kept; `resume` with a lower `lr` goes on from there."
        )
