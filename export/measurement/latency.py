"""Latency of TFLite files on this machine."""

import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from export.tflite.backends import find_backends, load_in_tensorflow_lite, make_runner
from export.tflite.file import File
from export.tflite.flatbuffer import read
from recu_tf.messages import in_one_line

__all__ = [
    "REPEATS",
    "WARM_UP",
    "Benchmark",
    "Failure",
    "Latency",
    "benchmark",
    "find_fastest",
    "take_turns",
    "time_second_run",
]

Run = TypeVar("Run")

WARM_UP = 5
REPEATS = 50


@dataclass(frozen=True)
class Latency:
    """How long one inference takes.

    Attributes:
        name: of the file.
        backend: that ran it, see `export.tflite.backends`.
        threads: number of threads.
        median_ms: median over the repeats, in milliseconds.
        p95_ms: 95th percentile.
        min_ms: the fastest.
    """

    name: str
    backend: str
    threads: int
    median_ms: float
    p95_ms: float
    min_ms: float


@dataclass(frozen=True)
class Failure:
    """A backend that a file cannot run with.

    Attributes:
        name: of the file.
        backend: that refuses it.
        reason: in the interpreter's words.
    """

    name: str
    backend: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} cannot be run with {self.backend}: {self.reason}"


@dataclass(frozen=True)
class Benchmark:
    """The measurements of one run of the benchmark.

    Attributes:
        latencies: of each file with each backend and number of threads.
        failures: the backends that cannot run a file.
    """

    latencies: list[Latency]
    failures: list[Failure]


def time_second_run(run: Callable[[], object]) -> float:
    """Runs a function twice, and times the second run, in milliseconds.

    The first loads its data into the caches, and meanwhile the threads of the function before it,
    which wait busily for a while, go to sleep.
    """
    run()
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def take_turns(
    runs: Mapping[Hashable, Run],
    repeats: int,
    seed: int = 0,
    *,
    warm_up: int = WARM_UP,
    measure: Callable[[Run], float] = time_second_run,
) -> dict[Hashable, np.ndarray]:
    """Measures what takes turns, so that other work of the machine slows all of it alike.

    Each round has an order of its own.

    Args:
        runs: what is measured, functions unless `measure` takes something else.
        repeats: number of rounds that count.
        seed: of the order in each round.
        warm_up: number of rounds that come before them.
        measure: gives the number of a turn, such as its milliseconds.

    Returns:
        For each its numbers, (repeats,); of functions milliseconds.
    """
    order, shuffle = list(runs), random.Random(seed).shuffle
    measured = {key: [] for key in runs}
    for _ in range(warm_up + repeats):
        shuffle(order)
        for key in order:
            measured[key].append(measure(runs[key]))
    return {key: np.array(values[warm_up:]) for key, values in measured.items()}


def benchmark(
    files: Mapping[str, bytes | File],
    *,
    threads: Sequence[int] = (1,),
    repeats: int = REPEATS,
    backends: Mapping[str, Sequence[str]] | None = None,
) -> Benchmark:
    """Measures files with every backend and number of threads, all taking turns.

    The ratios of the latencies are more reliable than the latencies: see `take_turns`.

    Args:
        files: TFLite files by their names, with or without binary operators, with any number of
            inputs of any shape and numeric type.
        threads: numbers of threads.
        repeats: number of times that each is timed.
        backends: for each file the backends to run it with; None means all that may run it, see
            `export.tflite.backends.find_backends`.

    Returns:
        The latencies and the backends that failed.

    Raises:
        ValueError: a file is damaged, or no backend can run it.
    """
    runs, failures = {}, {}
    for name, flatbuffer in files.items():
        try:
            file = read(flatbuffer)
            load_in_tensorflow_lite(file)  # before the engine, which crashes on damaged files
        except ValueError as error:
            raise ValueError(f"{name} cannot be measured: {error}") from error
        for backend in find_backends(file) if backends is None else backends[name]:
            for count in threads:
                try:
                    run = make_runner(file, backend, threads=count)
                    run()
                except (RuntimeError, ValueError) as error:
                    reason = in_one_line(error)
                    failures[name, backend] = Failure(name, backend, reason)
                    break
                runs[name, backend, count] = run
        if not any(key[0] == name for key in runs):
            reasons = {failure.reason for failure in failures.values() if failure.name == name}
            raise ValueError(f"{name} cannot be run by any backend: {'; '.join(sorted(reasons))}")
    latencies = [
        Latency(
            *key,
            median_ms=float(np.median(values)),
            p95_ms=float(np.percentile(values, 95)),
            min_ms=float(values.min()),
        )
        for key, values in take_turns(runs, repeats).items()
    ]
    return Benchmark(latencies, list(failures.values()))


def find_fastest(latencies: Sequence[Latency], name: str, threads: int = 1) -> Latency:
    """Finds the backend with the smallest median, of one file on one number of threads."""
    return min(
        (latency for latency in latencies if (latency.name, latency.threads) == (name, threads)),
        key=lambda latency: latency.median_ms,
    )
