"""How many times as fast as its twins a binary file is, and where its time goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.measurement.latency import REPEATS, Latency, fastest, take_turns
from export.measurement.subgraphs import OTHER, multiply_accumulates, parts
from export.tflite.backends import runner

__all__ = ["Breakdown", "Comparison", "PartLatency", "breakdown", "compare"]


@dataclass(frozen=True)
class Comparison:
    """A binary file against another, each with its fastest backend.

    Attributes:
        binary: latency of the binary file.
        other: latency of the other, on as many threads.
        best_speedup: how many times as fast the binary file is by the fastest run of either with
            any backend, which other work of the machine changes least.
    """

    binary: Latency
    other: Latency
    best_speedup: float

    @property
    def speedup(self) -> float:
        """How many times as fast the binary file is; below 1 where it is slower."""
        return self.other.median_ms / self.binary.median_ms

    def __str__(self) -> str:
        one, other = self.binary, self.other
        # Both ratios in the direction of the first.
        slow = self.speedup < 1
        ratio, best = (1 / x if slow else x for x in (self.speedup, self.best_speedup))
        direction = f"times as {'slow' if slow else 'fast'}"
        threads = "1 thread" if one.threads == 1 else f"{one.threads} threads"
        return (
            f"{one.name} on {threads} is {_digits(ratio)} {direction} as {other.name}: "
            f"{_digits(one.median_ms)} ms ({one.backend}) against {_digits(other.median_ms)} ms "
            f"({other.backend}); by their fastest runs {_digits(best)} {direction}"
        )


def _digits(value: float) -> str:
    """Two decimals, or two digits where these would be lost."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def compare(latencies: Sequence[Latency], binary: str, other: str) -> list[Comparison]:
    """Compares two files, by the fastest backend of each for every number of threads.

    Args:
        latencies: of one run of the benchmark.
        binary: name of the binary file.
        other: name of the other.
    """
    threads = [{one.threads for one in latencies if one.name == name} for name in (binary, other)]

    def best(name: str, count: int) -> float:
        return min(one.min_ms for one in latencies if (one.name, one.threads) == (name, count))

    return [
        Comparison(
            fastest(latencies, binary, count),
            fastest(latencies, other, count),
            best_speedup=best(other, count) / best(binary, count),
        )
        for count in sorted(threads[0] & threads[1])
    ]


@dataclass(frozen=True)
class PartLatency:
    """How long some operators take, run alone.

    Attributes:
        name: what they are.
        operators: how often each occurs.
        multiply_accumulates: of one inference.
        median_ms: median over the repeats, in milliseconds.
        words: of binary convolutions with few channels, how little a pixel gives the engine to do.
    """

    name: str
    operators: dict[str, int]
    multiply_accumulates: int
    median_ms: float
    words: str = ""

    @property
    def rate(self) -> float:
        """Multiply-accumulates per nanosecond."""
        return self.multiply_accumulates / self.median_ms / 1e6


@dataclass(frozen=True)
class Breakdown:
    """Where the time of a binary file goes, on one thread.

    Attributes:
        name: of the file.
        backend: that ran it.
        median_ms: of the whole file, in milliseconds.
        parts: its parts, which together have all its operators.
        others: the files it is compared with, whole.
    """

    name: str
    backend: str
    median_ms: float
    parts: list[PartLatency]
    others: list[PartLatency]

    @property
    def parts_ms(self) -> float:
        """Of all parts, in milliseconds; about that of the whole."""
        return sum(one.median_ms for one in self.parts)

    def reasons(self, other: PartLatency) -> list[str]:
        """Why the file is slower than another one, as far as the parts tell; none if it is not."""
        if self.median_ms <= other.median_ms:
            return []
        reasons = []
        for part in self.parts:
            count, share = sum(part.operators.values()), part.median_ms / self.parts_ms
            if part.name == OTHER:
                total = sum(one.multiply_accumulates for one in self.parts)
                reasons.append(
                    f"{share:.0%} of the time goes into {count} operators that are no binary "
                    f"convolutions and do {part.multiply_accumulates / max(total, 1):.1%} of the "
                    f"multiply-accumulates: {part.median_ms:.2f} ms, where all of {other.name} "
                    f"takes {other.median_ms:.2f} ms."
                )
            elif part.rate < other.rate:
                words = f": {part.words}" if part.words else ""
                reasons.append(
                    f"{share:.0%} of the time goes into {count} {part.name}, which do "
                    f"{part.rate:.1f} multiply-accumulates a nanosecond where {other.name} does "
                    f"{other.rate:.1f}{words}."
                )
        return reasons

    def __str__(self) -> str:
        lines = [
            f"Where the time of {self.name} goes (1 thread, {self.backend}; parts run alone; the "
            f"whole takes {self.median_ms:.2f} ms):",
            f"  {'ms':>7} {'share':>6} {'million MAC':>12} {'MAC/ns':>7}",
        ]
        for one in [*self.parts, *self.others]:
            share = f"{one.median_ms / self.parts_ms:.0%}" if one in self.parts else ""
            counts = ", ".join(f"{count} {name}" for name, count in one.operators.items())
            lines.append(
                f"  {one.median_ms:7.2f} {share:>6} {one.multiply_accumulates / 1e6:12.1f} "
                f"{one.rate:7.1f}  {one.name}{f': {counts}' if counts else ''}"
            )
        for other in self.others:
            for number, reason in enumerate(self.reasons(other)):
                lines.append(("" if number else f"Why slower than {other.name}:\n") + f"  {reason}")
        return "\n".join(lines)


def breakdown(
    name: str,
    flatbuffer: bytes,
    backend: str,
    others: Mapping[str, tuple[bytes, str]],
    repeats: int = REPEATS,
) -> Breakdown:
    """Measures the parts of a binary file alone, with the whole of it and other files in turn.

    Args:
        name: of the file.
        flatbuffer: the file.
        backend: that is to run it.
        others: files to compare it with and their backends, by name.
        repeats: how often each is timed.

    Raises:
        RuntimeError, ValueError: a part cannot be run alone.
    """
    pieces = parts(flatbuffer)
    runs = {("part", one.name): runner(one.flatbuffer, backend) for one in pieces}
    runs["whole", name] = runner(flatbuffer, backend)
    runs |= {("other", key): runner(*one) for key, one in others.items()}
    medians = {key: float(np.median(values)) for key, values in take_turns(runs, repeats).items()}
    return Breakdown(
        name,
        backend,
        medians["whole", name],
        [
            PartLatency(
                one.name,
                one.operators,
                one.multiply_accumulates,
                medians["part", one.name],
                one.words,
            )
            for one in pieces
        ],
        [
            PartLatency(key, {}, multiply_accumulates(one), medians["other", key])
            for key, (one, _) in others.items()
        ],
    )
