"""Measuring how long steps and the ends of epochs take, to estimate the time that is left."""

__all__ = ["Pace"]


class Pace:
    """The time that steps take, and the time between epochs, without compilation.

    The first step of a process and its first evaluation step compile; neither counts.

    Args:
        done: the number of steps already done, over all epochs.
    """

    def __init__(self, done: int):
        self.done = self.counted_from = done
        self.total_seconds = self.evaluation_seconds = 0.0
        self.between_epochs: list[float] = []
        self.is_compiled = False
        self.evaluation_began: float | None = None

    def begin_epoch(self, now: float) -> None:
        """An epoch begins."""
        self.mark = now

    def end_step(self, done: int, now: float) -> None:
        """A step has ended; `done` steps have, over all epochs."""
        if self.is_compiled:
            self.total_seconds += now - self.mark
        else:
            self.is_compiled, self.counted_from = True, done
        self.mark, self.done = now, done

    def end_evaluation_step(self, now: float) -> None:
        """A step of the evaluation has ended."""
        self.evaluation_began = self.evaluation_began or now

    def end_evaluation(self, now: float) -> None:
        """The evaluation has ended."""
        self.evaluation_seconds = now - (self.evaluation_began or now)

    def end_epoch(self, now: float) -> None:
        """An epoch has ended, with its evaluation and with everything that was written."""
        self.between_epochs.append(now - self.mark)

    @property
    def step_seconds(self) -> float | None:
        """The mean time of a step; None before the second step."""
        steps = self.done - self.counted_from
        return self.total_seconds / steps if steps else None

    def estimate_seconds(self, steps: int, epochs: int) -> float | None:
        """The time that a number of steps and of ends of epochs take; None before the second step.

        Args:
            steps: still to train.
            epochs: still to end.
        """
        if self.step_seconds is None:
            return None
        # Until the second epoch ends, only its evaluation is known without compilation.
        between = self.between_epochs[1:] or [self.evaluation_seconds]
        return steps * self.step_seconds + epochs * sum(between) / len(between)
