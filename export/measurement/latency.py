"""Latency of TFLite files on this machine."""

import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export.tflite.backends import BACKENDS, find_backends, runner, tensorflow_lite

__all__ = ["BACKENDS", "Benchmark", "Failure", "Latency", "benchmark", "fastest", "take_turns"]

WARM_UP = 5
REPEATS = 50


@dataclass(frozen=True)
class Latency:
    """How long one inference takes.

    Attributes:
        name: of the file.
        backend: what ran it, see `export.tflite.backends`.
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
    """What one run of the benchmark measured.

    Attributes:
        latencies: of each file with each backend and number of threads.
        failures: backends that files cannot run with.
    """

    latencies: list[Latency]
    failures: list[Failure]


def take_turns(
    runs: Mapping[Hashable, Callable[[], object]], repeats: int, seed: int = 0
) -> dict[Hashable, np.ndarray]:
    """Times functions that take turns, so that what else the machine does falls on each alike.

    Each round has an order of its own. In its turn a function runs twice and the second run
    counts: the first brings its data into the caches and lets the threads of the one before it,
    which wait busily for a while, go to sleep.

    Args:
        runs: the functions.
        repeats: rounds that count; 5 more come before them.
        seed: of the orders.

    Returns:
        Milliseconds (repeats,) of each.
    """
    order, shuffle = list(runs), random.Random(seed).shuffle
    milliseconds = {key: [] for key in runs}
    for _ in range(WARM_UP + repeats):
        shuffle(order)
        for key in order:
            runs[key]()
            start = time.perf_counter()
            runs[key]()
            milliseconds[key].append(1e3 * (time.perf_counter() - start))
    return {key: np.array(values[WARM_UP:]) for key, values in milliseconds.items()}


def benchmark(
    files: Mapping[str, bytes],
    threads: Sequence[int] = (1,),
    repeats: int = REPEATS,
    backends: Mapping[str, Sequence[str]] | None = None,
) -> Benchmark:
    """Measures files with every backend and number of threads, all taking turns.

    Believe the ratios: see `take_turns`.

    Args:
        files: TFLite files by their names, with or without binary operators, with inputs of any
            number, shape and type of numbers.
        threads: numbers of threads.
        repeats: how often each is timed.
        backends: of each file; None means all that may run it, see
            `export.tflite.backends.find_backends`.

    Returns:
        The latencies and the backends that failed.

    Raises:
        ValueError: a file is damaged, or no backend can run it.
    """
    runs, failures = {}, {}
    for name, flatbuffer in files.items():
        try:
            tensorflow_lite(flatbuffer)  # before the engine, which crashes on damaged ones
        except ValueError as error:
            raise ValueError(f"{name} cannot be measured: {error}") from error
        for backend in find_backends(flatbuffer) if backends is None else backends[name]:
            for count in threads:
                try:
                    run = runner(flatbuffer, backend, count)
                    run()
                except (RuntimeError, ValueError) as error:
                    reason = " ".join(str(error).split())
                    failures[name, backend] = Failure(name, backend, reason)
                    break
                runs[name, backend, count] = run
        if not any(key[0] == name for key in runs):
            reasons = {one.reason for one in failures.values() if one.name == name}
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


def fastest(latencies: Sequence[Latency], name: str, threads: int = 1) -> Latency:
    """The one of this name and number of threads with the smallest median."""
    return min(
        (one for one in latencies if (one.name, one.threads) == (name, threads)),
        key=lambda one: one.median_ms,
    )
