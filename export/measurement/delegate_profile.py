"""Where the time of a file goes that runs with the delegate: numbers and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tabulate import tabulate

from recu_tf.messages import format_count

__all__ = ["DelegateProfile", "Groups", "Part"]


@dataclass(frozen=True)
class Part:
    """A part of a run.

    Attributes:
        name: a step of the delegate, or an operator that the interpreter runs.
        microseconds: median over the repeats.
        macs: multiply-accumulates, binary ones in the delegate, in float32 outside of it.
        bytes: that it reads and writes; 0 where that is not known.
        is_binary: whether it is binary convolutions, with what is fused into them.
        channels: of a binary convolution's input; 0 for other parts.
    """

    name: str
    microseconds: float
    macs: int = 0
    bytes: int = 0
    is_binary: bool = False
    channels: int = 0


class Groups(NamedTuple):
    """A whole run in four parts.

    Attributes:
        binary: the binary convolutions, with what is fused into them.
        others: the delegate's other steps.
        outside: what the interpreter runs.
        copies: of inputs and outputs.
    """

    binary: Part
    others: Part
    outside: Part
    copies: Part


@dataclass(frozen=True)
class DelegateProfile:
    """Where the time of a file goes that runs with the delegate.

    Attributes:
        name: of the file.
        runtime: the interpreter and the delegate's backend.
        backend: the delegate's.
        threads: number of threads.
        steps: of the delegate, in their order.
        outside_us: median of what a run takes without the steps: the operators that the interpreter
            runs, and its own work.
        copies_us: median of copying inputs in and outputs out.
        operators: those that the interpreter runs, each measured alone.
        clock: cycles per nanosecond; None where it changed during the measurement.
        limit: binary multiply-accumulates per cycle that the backend could do on so many threads;
            None where it is not stated.
        cache_rate: bytes per nanosecond, read and written, in copying what fits into a cache.
        memory_rate: the same for what fits into none.
    """

    name: str
    runtime: str
    backend: str
    threads: int
    steps: list[Part]
    outside_us: float
    copies_us: float
    operators: list[Part]
    clock: float | None
    limit: float | None
    cache_rate: float
    memory_rate: float

    @property
    def groups(self) -> Groups:
        """The whole run in four parts."""
        binary = [step for step in self.steps if step.is_binary]
        others = [step for step in self.steps if not step.is_binary]
        return Groups(
            replace(
                _add_up(format_count(len(binary), "binary convolution"), binary), is_binary=True
            ),
            _add_up(format_count(len(others), "other step") + " of the delegate", others),
            Part(
                format_count(len(self.operators), "operator") + " outside of the delegate",
                self.outside_us,
                sum(operator.macs for operator in self.operators),
            ),
            Part("copies of inputs and outputs", self.copies_us),
        )

    @property
    def microseconds(self) -> float:
        """The whole run: the sum of its parts."""
        return sum(group.microseconds for group in self.groups)

    def share(self, part: Part) -> float:
        """The share of the whole run that a part takes."""
        return part.microseconds / self.microseconds

    def rate(self, part: Part) -> float:
        """Multiply-accumulates per cycle, or per nanosecond where the clock is not known."""
        return part.macs / max(part.microseconds, 1e-3) / 1e3 / (self.clock or 1)

    @property
    def unit(self) -> str:
        """What `rate` counts."""
        return "cycle" if self.clock else "ns"

    def share_of_limit(self, part: Part) -> float | None:
        """The share of the limit that a part with binary multiply-accumulates reaches."""
        if None in (self.clock, self.limit) or not part.is_binary:
            return None
        return self.rate(part) / self.limit

    def summarize(self) -> str:
        """The whole run in four parts, as a table."""
        return "\n".join([self._describe_run(), *self._tabulate(self.groups)])

    def __str__(self) -> str:
        groups = self.groups
        whole = replace(_add_up("whole run", groups), bytes=0)
        lines = [
            self._describe_run(),
            *self._tabulate([*self.steps, groups.outside, groups.copies, whole]),
        ]
        if self.operators:
            lines.append("Outside of the delegate, each operator run alone:")
            lines += self._tabulate(self.operators)
        return "\n".join([*lines, *self._describe_limits()])

    def _describe_run(self) -> str:
        threads = format_count(self.threads, "thread")
        return (
            f"Where the time of {self.name} goes ({threads}, {self.runtime}; "
            f"medians; the whole takes {self.microseconds / 1e3:.3f} ms):"
        )

    def _describe_limits(self) -> list[str]:
        clock = f"{self.clock:.2f} GHz" if self.clock else "not known, since it changed"
        limit = ""
        if self.limit:
            limit = (
                f"; {self.backend} could do at most {self.limit:.0f} binary multiply-accumulates "
                "a cycle"
            )
        return [
            f"Clock: {clock}{limit}. Copying moves {self.cache_rate:.0f} GB/s in the cache and "
            f"{self.memory_rate:.0f} GB/s in memory, read and written."
        ]

    def _tabulate(self, parts: Sequence[Part]) -> list[str]:
        header = ("us", "share", "million MAC", f"MAC/{self.unit}", "of limit", "kB", "GB/s", "")
        rows = [self._row(part) for part in parts]
        table = tabulate(
            rows,
            header,
            tablefmt="plain",
            disable_numparse=True,
            colalign=(*["right"] * 7, "left"),
        )
        return [f"  {line.rstrip()}" for line in table.splitlines()]

    def _row(self, part: Part) -> tuple[str, ...]:
        of_limit = self.share_of_limit(part)
        return (
            f"{part.microseconds:.1f}",
            f"{self.share(part):.1%}",
            f"{part.macs / 1e6:.2f}" if part.macs else "",
            f"{self.rate(part):.1f}" if part.macs else "",
            "" if of_limit is None else f"{of_limit:.0%}",
            f"{part.bytes / 1e3:.1f}" if part.bytes else "",
            f"{part.bytes / part.microseconds / 1e3:.1f}" if part.bytes else "",
            part.name,
        )


def _add_up(name: str, parts: Sequence[Part]) -> Part:
    return Part(
        name,
        sum(part.microseconds for part in parts),
        sum(part.macs for part in parts),
        sum(part.bytes for part in parts),
    )
