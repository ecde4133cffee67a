"""Lines that say how far a training is and when it will have ended."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import tensorflow as tf

from recu_tf.durations import duration

__all__ = ["Progress", "expected_end"]

REDRAW_SECONDS = 0.5
WIDTH = 100  # of a line, at most
# By name of the log: what the line calls it, its factor, how it is written, its unit. Shares are
# per cent. Of a pair, the second is that of the test images. Top-5 is in metrics.jsonl.
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


def expected_end(now: datetime, seconds_left: float) -> str:
    """When a training will have ended, in words: `ends 14:32 (in 42 min 10 s)`.

    Args:
        now: the time of the day.
        seconds_left: until the end.
    """
    end = now + timedelta(seconds=seconds_left)
    day = "" if end.date() == now.date() else end.strftime("%a %d %b ")
    return f"ends {day}{end:%H:%M} (in {duration(seconds_left)})"


def _told(logs: Mapping[str, float]) -> list[str]:
    """Values of a step or an epoch in words, as in `top-1 56.10, test 54.32 %`."""
    told = []
    for names, title, factor, form, unit in VALUES:
        values = [f"{factor * logs[name]:{form}}" for name in names if name in logs]
        if values:
            told.append(f"{title} {', test '.join(values)}{unit}")
    return told


def _lines(parts: Sequence[str]) -> str:
    """The parts beside each other, in as many lines as they need, all but the first indented."""
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(joined) > WIDTH:
            lines.append(f"  {part}")
        else:
            lines[-1] = joined
    return "\n".join(lines)


class _Pace:
    """How long steps take and what comes between epochs, without what is compiled first.

    The first step of a process and its first step of evaluation compile; neither counts.
    """

    def __init__(self, done: int):
        self.done = self.counted_from = done
        self.step_seconds = self.evaluation_seconds = 0.0
        self.between: list[float] = []
        self.warm = False
        self.test_began: float | None = None

    def begin(self, now: float) -> None:
        """An epoch begins."""
        self.mark = now

    def step(self, done: int, now: float) -> None:
        """Steps have been done, counted over all epochs."""
        if self.warm:
            self.step_seconds += now - self.mark
        else:
            self.warm, self.counted_from = True, done
        self.mark, self.done = now, done

    def test_step(self, now: float) -> None:
        """A step of the evaluation has been done."""
        self.test_began = self.test_began or now

    def test_end(self, now: float) -> None:
        """The evaluation has been done."""
        self.evaluation_seconds = now - (self.test_began or now)

    def end(self, now: float) -> None:
        """An epoch has ended, with its evaluation and all that is written."""
        self.between.append(now - self.mark)

    @property
    def each(self) -> float | None:
        """Seconds of a step; None before the second."""
        steps = self.done - self.counted_from
        return self.step_seconds / steps if steps else None

    def left(self, steps: int, epochs: int) -> float | None:
        """Seconds for so many steps and so many ends of epochs; None before the second step."""
        if self.each is None:
            return None
        # Before the second epoch's end, only its evaluation is known without compilation.
        between = self.between[1:] or [self.evaluation_seconds]
        return steps * self.each + epochs * sum(between) / len(between)


class Progress(tf.keras.callbacks.Callback):
    """Prints each epoch's values and, within epochs, a line every so many steps.

    An epoch takes one or two lines of up to 100 characters, of which the first begins with
    `Epoch`. On a terminal the line of the running epoch redraws itself; elsewhere it is printed.

    Args:
        epochs: of the whole training.
        steps: of an epoch.
        first_step: where this training begins, counted over all epochs.
        print_freq: steps between lines within an epoch; none if 0.
        time_estimate: whether lines tell the expected end of the training, from the second step on:
            the first compiles.
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
        self.done = first_step
        self.print_freq = print_freq
        self.time_estimate = time_estimate
        self.pace = _Pace(first_step)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clocks."""
        self.epoch_started = self.next_redraw = time.perf_counter()
        self.pace.begin(self.epoch_started)
        self.first = self.done % self.steps

    def on_train_batch_end(self, batch, logs=None):
        """Prints the running epoch's line where it is due."""
        step = self.first + batch + 1
        before, self.done = self.done, self.done // self.steps * self.steps + step
        now = time.perf_counter()
        self.pace.step(self.done, now)
        if self.print_freq <= 0 or step == self.steps:
            return
        if sys.stdout.isatty():
            if now >= self.next_redraw:
                self.next_redraw = now + REDRAW_SECONDS
                # A line that breaks could not be drawn again.
                line = self._running(step, logs)[: shutil.get_terminal_size().columns - 1]
                print(f"\r{line}\x1b[K", end="", flush=True)
        elif before % self.steps // self.print_freq < step // self.print_freq:
            print(self._running(step, logs), flush=True)

    def on_test_batch_end(self, batch, logs=None):
        """Reads the clock."""
        self.pace.test_step(time.perf_counter())

    def on_test_end(self, logs=None):
        """Reads the clock."""
        self.pace.test_end(time.perf_counter())

    def on_epoch_end(self, epoch, logs=None):
        """Prints the epoch's values."""
        now = time.perf_counter()
        self.pace.end(now)
        begin = f"Epoch {epoch + 1}/{self.epochs}"
        parts = [begin, duration(now - self.epoch_started), *_told(logs), *self._end()]
        print(("\r\x1b[K" if sys.stdout.isatty() else "") + _lines(parts), flush=True)

    def _running(self, step: int, logs: dict) -> str:
        each = self.pace.each
        epoch = (self.done - 1) // self.steps + 1
        parts = [
            f"Epoch {epoch}/{self.epochs}",
            f"{step}/{self.steps}",
            *_told(logs),
            *([] if each is None else [f"{duration(each)}/step"]),
            *self._end(),
        ]
        return "  ".join(parts)

    def _end(self) -> list[str]:
        steps = self.epochs * self.steps - self.done
        left = self.pace.left(steps, -(-steps // self.steps)) if steps else None
        return [expected_end(datetime.now(), left)] if self.time_estimate and left else []
