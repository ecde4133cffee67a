"""Recording a training: its metrics, its models, and checkpoints to resume from."""

import math
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from recu_tf.metrics import Diagnostics
from recu_tf.runs import Run, checkpoints
from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.training.errors import LossNotFinite, TrainingInterrupted
from recu_tf.training.learner_state import read_state, restore_metrics
from recu_tf.training.setup import Prepared
from recu_tf.training.signals import SignalHandler
from recu_tf.training.strategies import has_several_processes

__all__ = ["Recorder"]

CHECKPOINT_SECONDS = 600  # between checkpoints within an epoch


class Recorder(tf.keras.callbacks.Callback):
    """Writes the metrics of each epoch, the last and best models, and checkpoints.

    A checkpoint is written before the first step, at the end of each epoch and, within long
    epochs, every ten minutes. The models are written at the end of the training and during it. If
    epochs are short, writing models after each would take much of the time: after models are
    written, the next ones wait until 20 times as long has passed. Until then the best weights are
    kept in memory and in the checkpoints.

    After a signal the present step is finished, a checkpoint is written and the training stops. A
    loss or weights that are not finite stop it too, and leave what was written before.

    If several processes train, they write only between epochs: reading the averages of batch norms
    takes all of them.

    Args:
        run: to write to; None if another process is the chief, which writes.
        prepared: what trains.
        signal_handler: that holds the signal received, if any.
        diagnostics: whose state belongs into the checkpoints; None without.
        checkpoint: that the training resumes from; None if it begins.
    """

    PATIENCE = 20

    def __init__(
        self,
        run: Run | None,
        prepared: Prepared,
        *,
        signal_handler: SignalHandler,
        diagnostics: Diagnostics | None = None,
        checkpoint: Checkpoint | None = None,
    ):
        super().__init__()
        self.run = run
        self.saved_network = prepared.saved_network
        self.epochs = prepared.settings.epochs
        self.steps = prepared.steps
        self.images = prepared.images_per_epoch if prepared.settings.skip_broken else None
        self.only_between_epochs = has_several_processes(prepared.strategy)
        self.signal_handler = signal_handler
        self.diagnostics = diagnostics
        self.chosen_on = prepared.images.chosen_on
        self.checkpoint = checkpoint
        self.directory: Path | None = None if run is None else run.path / "checkpoints"
        self.next_models = 0.0
        self.first_epoch = prepared.settings.start_epoch if checkpoint is None else None
        self.best_accuracy, self.seconds, self.best_weights = -math.inf, 0.0, None
        self.last_weights = None
        if checkpoint is not None:
            self._restore(checkpoint)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.best_accuracy = checkpoint.progress.get("best", -math.inf)
        self.seconds = checkpoint.progress.get("seconds", 0.0)
        if "best/0" in checkpoint.arrays:
            self.best_weights = [
                checkpoint.arrays[f"best/{index}"]
                for index in range(len(self.saved_network.weights))
            ]
        state = {
            name.removeprefix("diagnostics/"): value
            for name, value in checkpoint.arrays.items()
            if name.startswith("diagnostics/")
        }
        if self.diagnostics is not None and state:
            self.diagnostics.set_state(state)

    def on_train_begin(self, logs=None):
        """Writes the first checkpoint, so that a run without any must have lost them."""
        if self.first_epoch is not None:
            self.started = time.perf_counter()
            self._save_checkpoint(self.first_epoch, 0, self._read_state())
            self.first_epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock, and restores the metrics of an epoch that is resumed."""
        self.epoch, self.first_step, self.skipped = epoch, 0, 0
        # A checkpoint at the start of an epoch holds the metrics of the epoch before.
        if self.checkpoint is not None and self.checkpoint.step:
            self.first_step = self.checkpoint.step
            restore_metrics(self.model, self.checkpoint)
        else:
            self.seconds = 0.0
        self.checkpoint = None
        self.started = time.perf_counter() - self.seconds
        self.next_checkpoint = time.perf_counter() + CHECKPOINT_SECONDS

    def on_train_batch_end(self, batch, logs=None):
        """Checks the loss, the clock and whether a signal was received."""
        self.step = step = self.first_step + batch + 1
        if not math.isfinite(logs["loss"]):
            replicas = self.model.distribute_strategy.num_replicas_in_sync
            finite = int(float(self.model.finite_steps.result())) // replicas
            raise self._describe_not_finite("The loss is", finite + 1)
        if step == self.steps and self.images is not None:
            # Counted here: the evaluation that follows resets the metric.
            self.skipped = self.images - round(float(self.model.loss_mean.count.numpy()))
        if step == self.steps or self.only_between_epochs:
            return
        if self.signal_handler.received is not None:
            self._save_best()
            self._save_checkpoint(self.epoch, step, self._read_state())
            self._stop(f"in epoch {self.epoch + 1} after step {step} of {self.steps}")
        if time.perf_counter() >= self.next_checkpoint:
            self._save_checkpoint(self.epoch, step, self._read_state())
            self.next_checkpoint = time.perf_counter() + CHECKPOINT_SECONDS

    def on_epoch_end(self, epoch, logs=None):
        """Writes the metrics, a checkpoint and, when they are due, the models."""
        if self.images is not None:
            logs["skipped"] = self.skipped
        if "val_accuracy" not in logs:
            raise ValueError(f"`data_path`: none of the {self.chosen_on} can be read.")
        if not math.isfinite(logs["val_loss"]):
            raise self._describe_not_finite(f"The loss on the {self.chosen_on} is", self.step)
        state = self._read_state()
        weights = [state[f"network/{index}"] for index in range(len(self.saved_network.weights))]
        if logs["val_accuracy"] > self.best_accuracy:
            self.best_accuracy = float(logs["val_accuracy"])
            self.best_weights = weights
        now = time.perf_counter()
        values = {name: float(value) for name, value in logs.items()}
        metrics = {"epoch": epoch, **values, "seconds": round(now - self.started, 3)}
        if self.diagnostics is not None:
            metrics["layers"] = self.diagnostics.layers
        finished = epoch + 1 == self.epochs
        self.last_weights = weights
        if finished or now >= self.next_models:
            self._save_models()
            end = time.perf_counter()
            self.next_models = end + self.PATIENCE * (end - now)
        if self.run is not None:
            self.run.append_metrics(metrics)
        self._save_checkpoint(epoch + 1, 0, state)
        if self.signal_handler.received is not None and not finished:
            self._save_best()
            self._stop(f"after epoch {epoch + 1}")

    def on_train_end(self, logs=None):
        """Writes the models that were not due, when a callback has stopped the training."""
        self._save_models()

    def _save_models(self) -> None:
        self._save_best()
        if self.last_weights is not None:
            self._save_model(self.last_weights, "last")
            self.last_weights = None

    def _save_model(self, weights: list[np.ndarray], which: str) -> None:
        if self.run is not None:
            self.saved_network.set_weights(weights)
            self.run.save_model(self.saved_network, which)

    def _save_best(self) -> None:
        if self.best_weights is not None:
            best, self.best_weights = self.best_weights, None
            self._save_model(best, "best")

    def _read_state(self) -> dict[str, np.ndarray]:
        state = read_state(self.model)
        # The loss of a step is computed before the step changes the weights.
        weights = (value for name, value in state.items() if name.startswith("network/"))
        if not all(np.isfinite(weight).all() for weight in weights):
            raise self._describe_not_finite("The weights are", self.step)
        return state

    def _save_checkpoint(self, epoch: int, step: int, state: dict[str, np.ndarray]) -> None:
        arrays = dict(state)
        if self.best_weights is not None:
            arrays |= {f"best/{index}": weight for index, weight in enumerate(self.best_weights)}
        if self.diagnostics is not None:
            values = self.diagnostics.get_state()
            arrays |= {f"diagnostics/{name}": value for name, value in values.items()}
        seconds = time.perf_counter() - self.started if step else 0.0
        progress = {"best": self.best_accuracy, "seconds": seconds}
        if self.directory is not None:
            checkpoints.save(self.directory, Checkpoint(epoch, step, arrays, progress))

    def _stop(self, where: str) -> None:
        number = self.signal_handler.received
        raise TrainingInterrupted(f"{number.name}: stopped {where} and saved", number)

    def _describe_not_finite(self, subject: str, step: int) -> LossNotFinite:
        return LossNotFinite(
            f"{subject} not finite in epoch {self.epoch + 1}, step {step} of {self.steps}. "
            "Everything saved before is kept: `resume` with a lower `lr` continues from there."
        )
