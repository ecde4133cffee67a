"""How many times as fast as its baselines a binary file is, and where its time goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.measurement.latency import REPEATS, Latency, find_fastest, take_turns
from export.measurement.subgraphs import OTHER, count_multiply_accumulates, extract_subgraphs
from export.tflite.backends import make_runner
from export.tflite.file import File
from export.tflite.flatbuffer import read
from recu_tf.messages import format_count

__all__ = [
    "Breakdown",
    "Comparison",
    "SubgraphLatency",
    "break_down",
    "compare",
    "format_number",
]


@dataclass(frozen=True)
class Comparison:
    """The latencies of a binary file and of another, each with its fastest backend.

    Attributes:
        binary: latency of the binary file.
        other: latency of the other, on as many threads.
        best_speedup: how many times as fast the binary file is by the fastest run of each with
            any backend; other work of the machine changes that least.
    """

    binary: Latency
    other: Latency
    best_speedup: float

    @property
    def speedup(self) -> float:
        """How many times as fast the binary file is; below 1 where it is slower."""
        return self.other.median_ms / self.binary.median_ms

    def __str__(self) -> str:
        binary, other = self.binary, self.other
        return (
            f"{binary.name} on {format_count(binary.threads, 'thread')} is "
            f"{describe_speedup(self.speedup)} as {other.name}: "
            f"{format_number(binary.median_ms)} ms ({binary.backend}) against "
            f"{format_number(other.median_ms)} ms ({other.backend}); by their fastest runs "
            f"{describe_speedup(self.best_speedup)}"
        )


def describe_speedup(speedup: float) -> str:
    """How many times as fast, or as slow, in words."""
    direction = "slow" if speedup < 1 else "fast"
    return f"{format_number(1 / speedup if speedup < 1 else speedup)} times as {direction}"


def format_number(value: float) -> str:
    """Two decimals, or two digits where these would be lost."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def compare(latencies: Sequence[Latency], binary: str, other: str) -> list[Comparison]:
    """Compares two files by their fastest backends, for each number of threads.

    Args:
        latencies: of one run of the benchmark.
        binary: name of the binary file.
        other: name of the other.
    """
    threads = [
        {latency.threads for latency in latencies if latency.name == name}
        for name in (binary, other)
    ]

    def find_best(name: str, count: int) -> float:
        return min(
            latency.min_ms
            for latency in latencies
            if (latency.name, latency.threads) == (name, count)
        )

    return [
        Comparison(
            find_fastest(latencies, binary, count),
            find_fastest(latencies, other, count),
            best_speedup=find_best(other, count) / find_best(binary, count),
        )
        for count in sorted(threads[0] & threads[1])
    ]


@dataclass(frozen=True)
class SubgraphLatency:
    """How long some operators of a file take when they run alone.

    Attributes:
        name: which operators they are.
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
        subgraphs: its operators in groups, see `export.measurement.subgraphs`.
        others: the files that it is compared with, each as a whole.
    """

    name: str
    backend: str
    median_ms: float
    subgraphs: list[SubgraphLatency]
    others: list[SubgraphLatency]

    @property
    def subgraphs_ms(self) -> float:
        """The sum of all subgraphs, in milliseconds; about that of the whole file."""
        return sum(subgraph.median_ms for subgraph in self.subgraphs)

    def explain(self, other: SubgraphLatency) -> list[str]:
        """Says why the file is slower than another, as far as the subgraphs show it.

        Returns:
            A clause for each reason; none where the file is not slower.
        """
        if self.median_ms <= other.median_ms:
            return []
        reasons = []
        for subgraph in self.subgraphs:
            count = sum(subgraph.operators.values())
            share = subgraph.median_ms / self.subgraphs_ms
            if subgraph.name == OTHER:
                total = sum(group.multiply_accumulates for group in self.subgraphs)
                reasons.append(
                    f"{share:.0%} of its time goes into {count} operators that are no binary "
                    f"convolutions and do {subgraph.multiply_accumulates / max(total, 1):.1%} of "
                    f"the multiply-accumulates: {subgraph.median_ms:.2f} ms, where all of "
                    f"{other.name} takes {other.median_ms:.2f} ms"
                )
            elif subgraph.rate < other.rate:
                words = f": {subgraph.words}" if subgraph.words else ""
                reasons.append(
                    f"{share:.0%} of its time goes into {count} {subgraph.name}, which do "
                    f"{subgraph.rate:.1f} multiply-accumulates a nanosecond where {other.name} "
                    f"does {other.rate:.1f}{words}"
                )
        return reasons

    def __str__(self) -> str:
        lines = [
            f"Where the time of {self.name} goes (1 thread, {self.backend}; groups of operators "
            f"run alone; the whole takes {self.median_ms:.2f} ms):",
            f"  {'ms':>7} {'share':>6} {'million MAC':>12} {'MAC/ns':>7}",
        ]
        for row in [*self.subgraphs, *self.others]:
            share = f"{row.median_ms / self.subgraphs_ms:.0%}" if row in self.subgraphs else ""
            counts = ", ".join(f"{count} {name}" for name, count in row.operators.items())
            lines.append(
                f"  {row.median_ms:7.2f} {share:>6} {row.multiply_accumulates / 1e6:12.1f} "
                f"{row.rate:7.1f}  {row.name}{f': {counts}' if counts else ''}"
            )
        for other in self.others:
            for number, reason in enumerate(self.explain(other)):
                title = "" if number else f"Why slower than {other.name}:\n"
                lines.append(f"{title}  {reason}.")
        return "\n".join(lines)


def break_down(
    name: str,
    flatbuffer: bytes | File,
    backend: str,
    others: Mapping[str, tuple[bytes | File, str]],
    *,
    repeats: int = REPEATS,
) -> Breakdown:
    """Measures groups of a binary file's operators alone, in turns with the whole and other files.

    Args:
        name: of the file.
        flatbuffer: the file.
        backend: that is to run it.
        others: files to compare it with and their backends, by name.
        repeats: how often each is timed.

    Raises:
        RuntimeError, ValueError: a group cannot be run alone.
    """
    file = read(flatbuffer)
    subgraphs = extract_subgraphs(file)
    runs = {
        ("subgraph", subgraph.name): make_runner(subgraph.file, backend) for subgraph in subgraphs
    }
    runs["whole", name] = make_runner(file, backend)
    others = {other: (read(content), its_own) for other, (content, its_own) in others.items()}
    runs |= {("other", other): make_runner(*pair) for other, pair in others.items()}
    medians = {key: float(np.median(values)) for key, values in take_turns(runs, repeats).items()}
    return Breakdown(
        name,
        backend,
        medians["whole", name],
        [
            SubgraphLatency(
                subgraph.name,
                subgraph.operators,
                subgraph.multiply_accumulates,
                medians["subgraph", subgraph.name],
                subgraph.words,
            )
            for subgraph in subgraphs
        ],
        [
            SubgraphLatency(other, {}, count_multiply_accumulates(file), medians["other", other])
            for other, (file, _) in others.items()
        ],
    )
