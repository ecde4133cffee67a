"""Processes that take turns: each side of a comparison has its own threads, caches and memory."""

import math
import multiprocessing
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from export.measurement.latency import take_turns

__all__ = [
    "Side",
    "measure_in_workers",
    "measure_processor_time",
    "measure_wall_time",
    "run_alone",
]

STATUS = Path("/proc/self/status")
# Writing 5 there makes the present memory the peak.
PEAK = Path("/proc/self/clear_refs")
# A process that has used less processor time than this in a while has come to rest.
IDLE_SECONDS = 0.005
LOOK_AGAIN_SECONDS = 0.1

# Of a side: a function that a new process can import, which makes what is run, and its arguments.
Side = tuple[Callable[..., Callable[[], object]], Sequence]


def measure_wall_time(run: Callable[[], object]) -> float:
    """Milliseconds that a function takes."""
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def measure_processor_time(run: Callable[[], object]) -> float:
    """Milliseconds of processor time, including what the function started in the background."""
    start = time.process_time()
    run()
    before = -math.inf
    while time.process_time() - before > IDLE_SECONDS:
        before = time.process_time()
        time.sleep(LOOK_AGAIN_SECONDS)
    return 1e3 * (time.process_time() - start)


class _Worker:
    """A process with what one side runs."""

    def __init__(self, side: Side, core: int | None):
        pinned = {} if core is None else {"initializer": _stay_on, "initargs": (core,)}
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, **pinned)
        make, arguments = side
        self._ready = self._pool.submit(_prepare, make, arguments)

    def wait(self) -> None:
        self._ready.result()

    def take_turn(self, measure: Callable[[Callable], float]) -> float:
        return self._pool.submit(_take_turn, measure).result()

    def measure_memory(self) -> int | None:
        return self._pool.submit(_measure_memory).result()

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_) -> None:
        self._pool.shutdown(cancel_futures=True)


# In a worker's process: what it runs, and the resident memory before it ran first.
_run: Callable[[], object] | None = None
_bytes_before: int | None = None


def _stay_on(core: int) -> None:
    """Keeps the process on one core, before TensorFlow counts the cores."""
    os.sched_setaffinity(0, {core})


def _prepare(make: Callable[..., Callable[[], object]], arguments: Sequence) -> None:
    global _run, _bytes_before
    _run = make(*arguments)
    with suppress(OSError):  # where that is not allowed, the peak may be of the preparation
        PEAK.write_text("5")
    _bytes_before = _read_resident_bytes("VmRSS")


def _take_turn(measure: Callable[[Callable], float]) -> float:
    return measure(_run)


def _measure_memory() -> int | None:
    peak = _read_resident_bytes("VmHWM")
    return None if peak is None else peak - _bytes_before


def _read_resident_bytes(field: str) -> int | None:
    # Not getrusage, whose peak is inherited from the parent process.
    found = re.search(rf"{field}:\s*(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return 1024 * int(found[1]) if found else None


def measure_in_workers(
    sides: Mapping[str, Side],
    repeats: int,
    *,
    warm_up: int = 2,
    measure: Callable[[Callable], float] = measure_wall_time,
    core: int | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, int | None]]:
    """Measures sides that take turns, each in a process of its own.

    Args:
        sides: by name.
        repeats: number of turns of each that count.
        warm_up: number of turns before them.
        measure: milliseconds of a turn, measured in its process.
        core: the one that all processes stay on; None lets them use all.

    Returns:
        For each side its milliseconds, (repeats,), and the bytes of memory that its turns took at
        most, the peak of the resident memory minus what there was before the first turn; None
        where the system does not report it (all but Linux).

    Raises:
        Exception: what preparing or running a side raised.
    """
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(side, core)) for name, side in sides.items()}
        for worker in workers.values():
            worker.wait()
        turns = take_turns(
            workers, repeats, warm_up=warm_up, measure=lambda worker: worker.take_turn(measure)
        )
        return turns, {name: worker.measure_memory() for name, worker in workers.items()}


def run_alone(function: Callable, *arguments):
    """What a function gives in a process of its own, which returns its memory.

    Raises:
        Exception: what the function raised, or that its process ended.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()
