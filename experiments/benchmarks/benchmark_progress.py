"""What a part of the benchmarks has measured so far, what it left out, and its progress."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from experiments.benchmarks.measured_tables import Table

__all__ = ["BenchmarkOptions", "Progress"]

START = time.monotonic()


@dataclass(frozen=True)
class BenchmarkOptions:
    """What the user chose.

    Attributes:
        repeats: number of turns; None means each part's own.
        networks: their names, for the parts training, conversion and inference; empty means each
            part's own.
        published: directory of the published implementation, or None.
    """

    repeats: int | None = None
    networks: tuple[str, ...] = ()
    published: str | None = None


@dataclass
class Progress:
    """What a part has measured so far.

    Attributes:
        tables: measured ones.
        left_out: why something was not measured, by its name.
        facts: other things to keep in the JSON file.
    """

    tables: list[Table] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Prints a line with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - START), 60)
        print(f"{minutes:2d}:{seconds:02d} {text}", flush=True)

    def leave_out(self, name: str, reason: str) -> None:
        """Notes that something is not measured, and why."""
        self.left_out[name] = " ".join(reason.split())
        self.say(f"{name} left out: {self.left_out[name]}")

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Notes an error inside as the reason why something was not measured, and goes on."""
        self.say(name)
        try:
            yield
        except Exception as error:  # whatever fails in one measurement must not lose the others
            self.leave_out(name, f"failed: {type(error).__name__}: {error}")
