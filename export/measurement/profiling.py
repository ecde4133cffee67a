"""Measures where the time of a file goes that runs with the delegate."""

import os
import time
from dataclasses import replace

import numpy as np

from export import runtime
from export.measurement.delegate_profile import DelegateProfile, Part
from export.measurement.latency import REPEATS, WARM_UP, take_turns
from export.measurement.subgraphs import keep_operators
from export.proof.operators import count_macs
from export.runtime import delegate_facts
from export.tflite.backends import fill_input, load_in_tensorflow_lite
from export.tflite.file import File, Operator
from export.tflite.flatbuffer import read

__all__ = ["profile_delegate"]

# If the clock before and after differs by more, a number of cycles would say nothing.
STEADY = 0.05
# Bytes that fit into a cache, and that fit into none.
CACHED, UNCACHED = 2**16, 2**26


def profile_delegate(
    name: str,
    flatbuffer: bytes | File,
    *,
    threads: int = 1,
    backend: str | None = None,
    repeats: int = REPEATS,
) -> DelegateProfile:
    """Measures each step of the delegate, and what the interpreter does besides.

    As in `take_turns`, a file runs twice and the second run counts.

    Args:
        name: of the file.
        flatbuffer: a file with binary operators, see `make_runner` in `export.tflite.backends`.
        threads: number of threads.
        backend: the delegate's; None means the one it selects.
        repeats: number of runs that count; 5 more come before them.

    Raises:
        FileNotFoundError: the delegate was not compiled.
        RuntimeError, ValueError: the delegate cannot run the file.
    """
    file = read(flatbuffer)
    created = runtime.delegate(threads, backend=backend, measure=True)
    interpreter = runtime.load(file.content, threads, with_delegate=created)
    clock = delegate_facts.measure_clock()
    steps, outside, copies = _measure_runs(interpreter, created, repeats)
    clocks = [clock, delegate_facts.measure_clock()]
    steady = max(clocks) - min(clocks) <= STEADY * max(clocks)
    taken = {*delegate_facts.list_nodes(created)}
    main = [operator for operator in file.operators if operator.graph == 0]
    backend = delegate_facts.name_backend(created)
    limit = delegate_facts.find_limit(backend)
    return DelegateProfile(
        name=name,
        runtime=delegate_facts.describe_runtime(backend),
        backend=backend,
        threads=threads,
        steps=steps,
        outside_us=outside,
        copies_us=copies,
        operators=_measure_operators(
            file, [number for number in range(len(main)) if number not in taken], threads, repeats
        ),
        clock=float(np.mean(clocks)) if steady else None,
        limit=limit and limit * min(threads, len(os.sched_getaffinity(0))),
        cache_rate=_measure_copying(CACHED),
        memory_rate=_measure_copying(UNCACHED),
    )


def _measure_runs(interpreter, created, repeats: int) -> tuple[list[Part], float, float]:
    """The steps, and the microseconds of a run outside of them and of copies."""
    rng = np.random.default_rng(0)
    values = [
        (tensor["index"], fill_input(tensor["shape"], tensor["dtype"], rng))
        for tensor in interpreter.get_input_details()
    ]
    outputs = [tensor["index"] for tensor in interpreter.get_output_details()]
    times = []
    for _ in range(WARM_UP + repeats):
        for _ in range(2):
            start = time.perf_counter()
            for index, value in values:
                interpreter.set_tensor(index, value)
            copied = time.perf_counter()
            interpreter.invoke()
            ran = time.perf_counter()
            for index in outputs:
                interpreter.get_tensor(index)
            end = time.perf_counter()
        found = runtime.profile(created)
        in_steps = [step.last_microseconds for step in found]
        copies = 1e6 * (copied - start + end - ran)
        times.append([*in_steps, 1e6 * (ran - copied) - sum(in_steps), copies])
    *medians, outside, copies = np.median(times[WARM_UP:], axis=0).tolist()
    steps = [
        Part(step.name, median, step.macs, step.bytes, step.channels > 0, step.channels)
        for step, median in zip(found, medians, strict=True)
    ]
    return steps, max(outside, 0.0), copies


def _measure_operators(file: File, numbers: list[int], threads: int, repeats: int) -> list[Part]:
    """Operators of the main graph, each in a file of its own, the slowest first."""
    runs, unable = {}, []
    for number in numbers:
        operator = file.operators[number]
        part = Part(_describe_operator(operator), 0.0, count_macs(operator))
        try:
            interpreter = load_in_tensorflow_lite(keep_operators(file, [number]), threads=threads)
            interpreter.allocate_tensors()
            interpreter.invoke()
        except (RuntimeError, ValueError):
            unable.append(replace(part, name=f"{part.name}, which cannot be run alone"))
            continue
        runs[number, part] = interpreter.invoke
    measured = [
        replace(part, microseconds=1e3 * float(np.median(milliseconds)))
        for (_, part), milliseconds in take_turns(runs, repeats).items()
    ]
    return sorted(measured, key=lambda part: -part.microseconds) + unable


def _describe_operator(operator: Operator) -> str:
    """The name of an operator and the shapes it maps, without the batch."""
    ends = (next(filter(None, operator.inputs), None), operator.outputs[0])
    shapes = ["x".join(map(str, end.shape[1:] or end.shape)) for end in ends if end is not None]
    return f"{operator.name} {' to '.join(filter(None, shapes))}"


def _measure_copying(size: int) -> float:
    """Bytes per nanosecond, read and written, in copying arrays of so many bytes."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    runs = {"copy": lambda: np.copyto(target, source)}
    return 2 * size / float(take_turns(runs, 5)["copy"].min()) / 1e6
