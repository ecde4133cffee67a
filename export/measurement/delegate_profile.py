"""Where the time of a file goes that runs with the delegate: step by step, and outside of it."""

import os
import re
import time
from dataclasses import dataclass, replace

import numpy as np
from tabulate import tabulate

from export import runtime
from export.measurement.latency import REPEATS, WARM_UP, take_turns
from export.measurement.subgraphs import keep_operators
from export.proof.operators import count_macs
from export.runtime import delegate_facts
from export.tflite.backends import fill_input, load_in_tensorflow_lite
from export.tflite.file import File, Operator
from export.tflite.flatbuffer import read

__all__ = ["DelegateProfile", "Part", "profile_delegate"]

CONVOLUTION = "binary convolution"
# If the clock before and after differs by more, a number of cycles would say nothing.
STEADY = 0.05
CACHED, UNCACHED = 2**16, 2**26


@dataclass(frozen=True)
class Part:
    """A part of a run.

    Attributes:
        name: a step of the delegate, or an operator that the interpreter runs.
        microseconds: median over the repeats.
        macs: multiply-accumulates, binary ones in the delegate, in float32 outside of it.
        bytes: that it reads and writes; 0 where that is not known.
    """

    name: str
    microseconds: float
    macs: int = 0
    bytes: int = 0

    @property
    def is_binary_convolution(self) -> bool:
        """Whether it is a binary convolution, with what is fused into it."""
        return self.name.startswith(CONVOLUTION)

    @property
    def channels(self) -> int:
        """Of a binary convolution, the channels of its input."""
        return int(re.search(r"x(\d+) to ", self.name)[1])


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
    def groups(self) -> list[Part]:
        """The whole run in four parts."""
        binary = [step for step in self.steps if step.is_binary_convolution]
        others = [step for step in self.steps if not step.is_binary_convolution]
        return [
            _add_up(_count(len(binary), CONVOLUTION), binary),
            _add_up(_count(len(others), "other step") + " of the delegate", others),
            Part(
                _count(len(self.operators), "operator") + " outside of the delegate",
                self.outside_us,
                sum(operator.macs for operator in self.operators),
            ),
            Part("copies of inputs and outputs", self.copies_us),
        ]

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
        if None in (self.clock, self.limit) or not (part.is_binary_convolution and part.macs):
            return None
        return self.rate(part) / self.limit

    def summarize(self) -> str:
        """The whole run in four parts, as a table."""
        return "\n".join([self._describe_run(), *self._tabulate(self.groups)])

    def __str__(self) -> str:
        whole = _add_up("whole run", self.groups)
        lines = [
            self._describe_run(),
            *self._tabulate([*self.steps, *self.groups[2:], replace(whole, bytes=0)]),
        ]
        if self.operators:
            lines.append("Outside of the delegate, each operator run alone:")
            lines += self._tabulate(self.operators)
        return "\n".join([*lines, *self._describe_limits()])

    def _describe_run(self) -> str:
        threads = _count(self.threads, "thread")
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

    def _tabulate(self, parts: list[Part]) -> list[str]:
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _add_up(name: str, parts: list[Part]) -> Part:
    return Part(
        name,
        sum(part.microseconds for part in parts),
        sum(part.macs for part in parts),
        sum(part.bytes for part in parts),
    )


def profile_delegate(
    name: str, flatbuffer: bytes | File, *, threads: int = 1, repeats: int = REPEATS
) -> DelegateProfile:
    """Measures each step of the delegate, and what the interpreter does besides.

    As in `take_turns`, a file runs twice and the second run counts.

    Args:
        name: of the file.
        flatbuffer: a file with binary operators, see `make_runner` in `export.tflite.backends`.
        threads: number of threads.
        repeats: number of runs that count; 5 more come before them.

    Raises:
        FileNotFoundError: the delegate was not compiled.
        RuntimeError, ValueError: the delegate cannot run the file.
    """
    file = read(flatbuffer)
    created = runtime.delegate(threads, measure=True)
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
        runtime=delegate_facts.describe_runtime(),
        backend=backend,
        threads=threads,
        steps=steps,
        outside_us=outside,
        copies_us=copies,
        operators=_measure_operators(
            file, [number for number in range(len(main)) if number not in taken], threads, repeats
        ),
        clock=float(np.mean(clocks)) if steady else None,
        limit=limit and limit * min(threads, os.cpu_count()),
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
        Part(step.name, median, step.macs, step.bytes)
        for step, median in zip(found, medians, strict=True)
    ]
    return steps, max(outside, 0.0), copies


def _measure_operators(file: File, numbers: list[int], threads: int, repeats: int) -> list[Part]:
    """Operators of the main graph, each in a file of its own, the slowest first."""
    operators, runs = [], {}
    for number in numbers:
        operator = file.operators[number]
        interpreter = load_in_tensorflow_lite(keep_operators(file, [number]), threads=threads)
        interpreter.allocate_tensors()
        runs[number] = interpreter.invoke
        operators.append(Part(_describe_operator(operator), 0.0, count_macs(operator)))
    milliseconds = take_turns(runs, repeats)
    measured = [
        replace(part, microseconds=1e3 * float(np.median(milliseconds[number])))
        for number, part in zip(numbers, operators, strict=True)
    ]
    return sorted(measured, key=lambda part: -part.microseconds)


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
