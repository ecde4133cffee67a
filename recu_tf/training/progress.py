"""Printing lines that show how far a training is and when it will end."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import tensorflow as tf

from recu_tf.durations import format_duration
from recu_tf.training.pace import Pace

__all__ = ["Progress", "format_end"]

REDRAW_SECONDS = 0.5
WIDTH = 100  # of a line, at most
# Names in the log, then the title, factor, number format and unit in the line. Of two names, the
# second is the value on the images that the best epoch is chosen on. Top-5 is only in
# metrics.jsonl.
VALUES = (
    (("loss", "val_loss"), "loss", 1, ".4g", ""),
    (("accuracy", "val_accuracy"), "top-1", 100, ".2f", " %"),
    (("lr",), "lr", 1, ".4g", ""),
    (("tau",), "tau", 1, ".4g", ""),
    (("dead_weights",), "dead", 100, ".3g", " %"),
    (("flipped_signs",), "flipped", 100, ".3g", " %"),
    (("quantization_error",), "error", 100, ".3g", " %"),
    (("sign_entropy",), "entropy", 1, ".4f", ""),
    (("skipped",), "skipped", 1, ".0f", ""),
)


def format_end(now: datetime, seconds_left: float) -> str:
    """Formats the expected end of a training, as in `ends 14:32 (in 42 min 10 s)`.

    Args:
        now: the present time.
        seconds_left: until the end.
    """
    end = now + timedelta(seconds=seconds_left)
    day = "" if end.date() == now.date() else end.strftime("%a %d %b ")
    return f"ends {day}{end:%H:%M} (in {format_duration(seconds_left)})"


def _format_values(logs: Mapping[str, float], chosen_on: str) -> list[str]:
    """The values of a step or an epoch, each with its title, as in `top-1 56.10, test 54.32 %`."""
    texts = []
    for names, title, factor, number_format, unit in VALUES:
        values = [f"{factor * logs[name]:{number_format}}" for name in names if name in logs]
        if values:
            texts.append(f"{title} {f', {chosen_on} '.join(values)}{unit}")
    return texts


def _wrap(texts: Sequence[str]) -> str:
    """Joins texts to as few lines as they need; all lines but the first are indented."""
    lines = [""]
    for text in texts:
        joined = f"{lines[-1]}  {text}" if lines[-1] else text
        if len(joined) > WIDTH:
            lines.append(f"  {text}")
        else:
            lines[-1] = joined
    return "\n".join(lines)


class Progress(tf.keras.callbacks.Callback):
    """Prints the values of each epoch and, within epochs, a line every `print_freq` steps.

    An epoch takes one or two lines of up to 100 characters, the first of which begins with
    `Epoch`. On a terminal the line of the running epoch redraws itself; elsewhere it is printed.

    Args:
        epochs: of the whole training.
        steps: of an epoch.
        first_step: at which this training begins, counted from 0 over all epochs.
        chosen_on: the images that the best epoch is chosen on, in a word.
        print_freq: steps between lines within an epoch; 0 prints none.
        time_estimate: whether lines show the expected end of the training, from the second step on
            (the first step compiles).
    """

    def __init__(
        self,
        *,
        epochs: int,
        steps: int,
        first_step: int = 0,
        chosen_on: str = "test",
        print_freq: int = 100,
        time_estimate: bool = True,
    ):
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.done = first_step
        self.chosen_on = chosen_on
        self.print_freq = print_freq
        self.time_estimate = time_estimate
        self.pace = Pace(first_step)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clocks."""
        self.epoch_began = self.next_redraw = time.perf_counter()
        self.pace.begin_epoch(self.epoch_began)
        self.first = self.done % self.steps

    def on_train_batch_end(self, batch, logs=None):
        """Prints the line of the running epoch when it is due."""
        step = self.first + batch + 1
        before, self.done = self.done, self.done // self.steps * self.steps + step
        now = time.perf_counter()
        self.pace.end_step(self.done, now)
        if self.print_freq <= 0 or step == self.steps:
            return
        if sys.stdout.isatty():
            if now >= self.next_redraw:
                self.next_redraw = now + REDRAW_SECONDS
                # A line that wraps could not be drawn over again.
                line = self._format_running(step, logs)[: shutil.get_terminal_size().columns - 1]
                print(f"\r{line}\x1b[K", end="", flush=True)
        elif before % self.steps // self.print_freq < step // self.print_freq:
            print(self._format_running(step, logs), flush=True)

    def on_test_batch_end(self, batch, logs=None):
        """Reads the clock."""
        self.pace.end_evaluation_step(time.perf_counter())

    def on_test_end(self, logs=None):
        """Reads the clock."""
        self.pace.end_evaluation(time.perf_counter())

    def on_epoch_end(self, epoch, logs=None):
        """Prints the values of the epoch."""
        now = time.perf_counter()
        self.pace.end_epoch(now)
        title = f"Epoch {epoch + 1}/{self.epochs}"
        seconds = now - self.epoch_began
        texts = [
            title,
            format_duration(seconds),
            *_format_values(logs, self.chosen_on),
            *self._format_estimate(),
        ]
        print(("\r\x1b[K" if sys.stdout.isatty() else "") + _wrap(texts), flush=True)

    def _format_running(self, step: int, logs: dict) -> str:
        seconds = self.pace.step_seconds
        epoch = (self.done - 1) // self.steps + 1
        texts = [
            f"Epoch {epoch}/{self.epochs}",
            f"step {step}/{self.steps}",
            *_format_values(logs, self.chosen_on),
            *([] if seconds is None else [f"{format_duration(seconds)}/step"]),
            *self._format_estimate(),
        ]
        return "  ".join(texts)

    def _format_estimate(self) -> list[str]:
        steps = self.epochs * self.steps - self.done
        epochs = -(-steps // self.steps)
        seconds = self.pace.estimate_seconds(steps, epochs) if steps else None
        return [format_end(datetime.now(), seconds)] if self.time_estimate and seconds else []
