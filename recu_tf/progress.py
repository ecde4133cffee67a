"""Lines that say how far a training is and when it will have ended."""

import sys
import time
from datetime import datetime, timedelta

import tensorflow as tf

__all__ = ["Progress", "expected_end"]

REDRAW_SECONDS = 0.5


def expected_end(now: datetime, seconds_left: float) -> str:
    """When a training will have ended, in words: `ends 14:32 (in 0:42:10)`.

    Args:
        now: the time of the day.
        seconds_left: until the end.
    """
    end = now + timedelta(seconds=seconds_left)
    day = "" if end.date() == now.date() else end.strftime("%a %d %b ")
    return f"ends {day}{end:%H:%M} (in {timedelta(seconds=round(seconds_left))})"


class Progress(tf.keras.callbacks.Callback):
    """Prints a line per epoch and, within epochs, one every so many steps.

    On a terminal the line of the running epoch redraws itself; elsewhere it is printed.

    Args:
        epochs: of the whole training.
        steps: of an epoch.
        first_step: where this training begins, counted over all epochs.
        print_freq: steps between lines within an epoch; none if 0.
        time_estimate: whether lines tell the expected end of the training.
    """

    def __init__(
        self,
        epochs: int,
        steps: int,
        first_step: int = 0,
        print_freq: int = 100,
        time_estimate: bool = True,
    ):
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.begun_at = self.done = first_step
        self.print_freq = print_freq
        self.time_estimate = time_estimate
        self.started = None

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clocks; that of the whole training at the first epoch of this process."""
        self.epoch_started = self.next_redraw = time.perf_counter()
        self.started = self.started or self.epoch_started
        self.first = self.done % self.steps

    def on_train_batch_end(self, batch, logs=None):
        """Prints the running epoch's line where it is due."""
        step = self.first + batch + 1
        before, self.done = self.done, self.done // self.steps * self.steps + step
        if self.print_freq <= 0 or step == self.steps:
            return
        now = time.perf_counter()
        if sys.stdout.isatty():
            if now >= self.next_redraw:
                self.next_redraw = now + REDRAW_SECONDS
                print(f"\r{self._running(step, logs, now)}\x1b[K", end="", flush=True)
        elif before % self.steps // self.print_freq < step // self.print_freq:
            print(self._running(step, logs, now), flush=True)

    def on_epoch_end(self, epoch, logs=None):
        """Prints the epoch's line."""
        seconds = time.perf_counter() - self.epoch_started
        values = "  ".join(f"{name}: {value:.4g}" for name, value in logs.items())
        parts = [f"Epoch {epoch + 1}/{self.epochs}: {seconds:.3g} s  {values}", *self._end()]
        print(("\r" if sys.stdout.isatty() else "") + "  ".join(parts), flush=True)

    def _running(self, step: int, logs: dict, now: float) -> str:
        each = (now - self.epoch_started) / (step - self.first)
        epoch = (self.done - 1) // self.steps + 1
        parts = [
            f"Epoch {epoch}/{self.epochs}  {step}/{self.steps}",
            *(f"{name}: {value:.4g}" for name, value in logs.items()),
            f"{each:.3g} s/step",
            *self._end(),
        ]
        return "  ".join(parts)

    def _end(self) -> list[str]:
        left = self.epochs * self.steps - self.done
        if not (self.time_estimate and left):
            return []
        each = (time.perf_counter() - self.started) / (self.done - self.begun_at)
        return [expected_end(datetime.now(), left * each)]
