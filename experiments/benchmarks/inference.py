"""Latency, throughput and size of exported networks, beside other files and other runtimes."""

import math
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from experiments.benchmarks import other_runtimes
from experiments.benchmarks.benchmark_networks import CIFAR, IMAGENET, ZOO, name_network
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.measured_tables import Row, Table, compare_numbers, compare_turns
from experiments.benchmarks.network_files import NetworkFiles, make_all_files
from experiments.benchmarks.other_runtimes import ONNX, OPENVINO
from experiments.benchmarks.turn_workers import run_alone
from experiments.quiet import quiet_standard_error
from export import runtime
from export.measurement.comparison import SubgraphLatency
from export.measurement.latency import take_turns, time_second_run
from export.measurement.profiling import profile_delegate
from export.measurement.speed_sentence import explain_by_profile
from export.measurement.subgraphs import count_multiply_accumulates
from export.tflite.backends import make_runner

__all__ = ["CONTENT", "measure_inference", "measure_network"]

DELEGATE, ENGINE, FLOAT, INT8 = "delegate", "engine", "float32", "int8"
FILE, CONTENT = "binary file", "information content"
THREADS = (1, 2)
TURNS, TURNS_OF_LARGE = 25, 10
# Of which the fastest counts. Without XNNPACK the engine is slower in everything measured.
CANDIDATES = {
    DELEGATE: ("delegate",),
    ENGINE: ("indirect bgemm with XNNPACK", "optimized with XNNPACK"),
    FLOAT: ("TFLite with XNNPACK", "TFLite"),
    INT8: ("TFLite with XNNPACK", "TFLite"),
}
# What a turn of the throughput takes at least, so that starting its threads hardly counts.
BURST_MS = 30
# For the threads of the run before, which wait busily for more work.
SETTLE_SECONDS = 0.003
PROFILE_RUNS = 10

Make = Callable[[int], Callable[[], object]]


@dataclass
class NetworkRows:
    """What was measured of a network.

    Attributes:
        rows: by the key of the table that each belongs to.
        facts: the backends that were the fastest, and the numbers that OpenVINO computes with.
    """

    rows: dict[str, Row]
    facts: dict[str, str] = field(default_factory=dict)


def measure_settled(run: Callable[[], object]) -> float:
    """Milliseconds of the second of two runs, after a pause."""
    time.sleep(SETTLE_SECONDS)
    return time_second_run(run)


def choose_fastest(file: bytes, backends: tuple[str, ...]) -> str:
    """The backend that runs a file fastest on one thread."""
    if len(backends) == 1:
        return backends[0]
    runs = {backend: make_runner(file, backend) for backend in backends}
    found = take_turns(runs, 3, warm_up=1)
    return min(found, key=lambda backend: np.median(found[backend]))


def make_burst(make: Make, interpreters: int) -> tuple[Callable[[], object], int]:
    """A function that runs several interpreters of one thread at once, and the images it takes."""
    runs = [make(1) for _ in range(interpreters)]
    each = math.ceil(BURST_MS / time_second_run(runs[0]))
    pool = ThreadPoolExecutor(interpreters)

    def burst() -> None:
        list(pool.map(lambda run: [run() for _ in range(each)], runs))

    return burst, each * interpreters


def time_sides(
    makes: Mapping[str, Make], turns: int, missing: dict[str, str]
) -> dict[int | str, dict[str, np.ndarray]]:
    """Times all sides with each number of threads, and bursts on all cores, in turns.

    Args:
        makes: from a side to what makes a function that runs its file with so many threads.
        turns: number of turns that count.
        missing: gets the reason of each side that fails.

    Returns:
        By the number of threads the milliseconds of each side, (turns,), and as "burst" its images
        per second.
    """
    cores = len(os.sched_getaffinity(0))
    runs, images = {}, {}
    for side, make in makes.items():
        try:
            own = {(side, threads): make(threads) for threads in THREADS}
            own[side, "burst"], images[side] = make_burst(make, cores)
        except Exception as error:  # each runtime has its own; the others are still measured
            missing[side] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            continue
        runs |= own
    found = take_turns(runs, turns, warm_up=2, measure=measure_settled)
    times = {threads: {side: found[side, threads] for side in images} for threads in THREADS}
    return {
        **times,
        "burst": {side: 1e3 * count / found[side, "burst"] for side, count in images.items()},
    }


def choose_sides(files: NetworkFiles) -> tuple[dict[str, Make], dict[str, str]]:
    """What runs the files of a network, and the backends chosen for it, by side."""
    makes: dict[str, Make] = {}
    facts = {}
    tflite = {DELEGATE: files.binary, ENGINE: files.binary, FLOAT: files.float32, INT8: files.int8}
    if runtime.find_problem():
        del tflite[DELEGATE]
    for side, file in tflite.items():
        facts[side] = choose_fastest(file, CANDIDATES[side])
        makes[side] = partial(_make_tflite, file, facts[side])
    if ONNX not in files.missing:
        makes[ONNX] = partial(other_runtimes.make_onnx_runner, files.onnx)
    if OPENVINO not in files.missing:
        makes[OPENVINO] = partial(other_runtimes.make_openvino_runner, files.float32)
        facts[OPENVINO] = other_runtimes.name_precision(files.float32)
    return makes, facts


def _make_tflite(file: bytes, backend: str, threads: int) -> Callable[[], object]:
    return make_runner(file, backend, threads=threads)


def measure_network(files: NetworkFiles, turns: int) -> NetworkRows:
    """Measures the files of a network.

    Args:
        files: of the network.
        turns: number of turns that count.
    """
    missing = dict(files.missing)
    with quiet_standard_error():
        makes, facts = choose_sides(files)
        found = time_sides(makes, turns, missing)
        rows = {
            _latency_key(threads): compare_turns(
                files.name, found[threads], _ours(), missing=missing
            )
            for threads in THREADS
        }
        alone = rows[_latency_key(1)]
        for threads in THREADS:
            _explain_losses(rows[_latency_key(threads)], threads, alone, files)
    rows["throughput"] = compare_turns(
        files.name, found["burst"], _ours(), more_is_better=True, missing=missing
    )
    sizes = {FILE: len(files.binary), CONTENT: files.information, FLOAT: len(files.float32)}
    kilobytes = {side: size / 1e3 for side, size in sizes.items()}
    rows["file_size"] = compare_numbers(files.name, kilobytes, FILE)
    counts = {"parameters": files.weights, "of one bit": files.binary_weights}
    millions = {name: count / 1e6 for name, count in counts.items()}
    rows["parameters"] = compare_numbers(files.name, millions, None)
    return NetworkRows(rows, facts)


def _ours() -> str:
    return ENGINE if runtime.find_problem() else DELEGATE


def _latency_key(threads: int) -> str:
    return f"latency_{threads}"


def explain_threads(threads: int, several: float, alone: float) -> str:
    """Why several threads take longer than one, if they do.

    Args:
        threads: their number.
        several: what they take.
        alone: what one takes.
    """
    if several <= alone:
        return ""
    return (
        f"{threads} threads take {several / alone:.1f} times as long as one, probably because "
        "those of the interpreter, for what is not binary, are at times woken on the core that "
        "waits for them "
        "([the delegate](../../export/runtime/DELEGATE.md#how-fast-it-is))"
    )


def _explain_losses(row: Row, threads: int, alone: Row, files: NetworkFiles) -> None:
    """Says what the delegate's time goes into, where another side is faster."""
    if DELEGATE not in row.medians or not row.losses:
        return
    row.because = explain_threads(threads, row.medians[DELEGATE], alone.medians[DELEGATE])
    if row.because:
        return
    profile = profile_delegate(row.name, files.binary, threads=threads, repeats=PROFILE_RUNS)
    fastest = min(row.losses, key=lambda side: row.medians[side])
    macs = count_multiply_accumulates(files.float32)
    whole = SubgraphLatency(fastest, {}, macs, row.medians[fastest])
    row.because = "; ".join(explain_by_profile(profile, whole))


def make_tables() -> dict[str, Table]:
    """The empty tables, by their keys."""
    ours, cores = _ours(), len(os.sched_getaffinity(0))
    tables = [
        *(
            Table(_latency_key(n), f"Latency, {n} thread{'s' if n > 1 else ''}", "ms", ours, [])
            for n in THREADS
        ),
        Table("throughput", "Throughput", "images per second", ours, [], more_is_better=True),
        Table("file_size", "Size of the file", "kB", FILE, []),
        Table("parameters", "Parameters", "million", None, []),
    ]
    named = {table.key: table for table in tables}
    named[
        "throughput"
    ].note = f"One interpreter of one thread on each of {cores} cores, one image at a time."
    named[_latency_key(2)].note = (
        "In the networks for CIFAR a convolution takes microseconds: a second thread gains little "
        "there, and nothing on a machine that is slow to wake it "
        "([the delegate](../../export/runtime/DELEGATE.md#how-fast-it-is))."
    )
    named["file_size"].note = (
        "The information content is a bit for each binary weight and four bytes for each other "
        "parameter. A file can be smaller: the four numbers that a batch norm has for each channel "
        "become two in it, or a threshold."
    )
    return named


def measure_inference(options: BenchmarkOptions, progress: Progress) -> None:
    """Makes the files of all networks, measures each in a process of its own, adds the tables."""
    problem = runtime.find_problem()
    absent = {DELEGATE: problem} if problem else {}
    for name, reason in {**absent, **other_runtimes.find_missing_packages()}.items():
        progress.leave_out(name, reason)
    tables = make_tables()
    progress.tables += tables.values()
    facts = progress.facts["backends"] = {}
    networks = options.networks or (*CIFAR, *IMAGENET, *ZOO)
    progress.say(f"files of the networks ({len(networks)})")
    # All of them first: making files would slow what is measured meanwhile.
    made = make_all_files(networks)
    for network in networks:
        turns = options.repeats or (TURNS if network in CIFAR else TURNS_OF_LARGE)
        with progress.attempt(f"inference of {name_network(network)}"):
            # Taken out, so that its memory is returned.
            found = run_alone(measure_network, made.pop(network).result(), turns)
            for key, row in found.rows.items():
                tables[key].rows.append(row)
            facts[name_network(network)] = found.facts
    _describe_sides(tables, facts)


def _describe_sides(tables: Mapping[str, Table], facts: Mapping[str, Mapping[str, str]]) -> None:
    """Says above the latencies which backends were the fastest."""
    sentences = ["One image."]
    for side in (ENGINE, FLOAT, INT8, OPENVINO):
        names = sorted({found[side] for found in facts.values() if side in found})
        if names:
            verb = "computes in" if side == OPENVINO else "is"
            sentences.append(f"{side} {verb} {' or '.join(names)}.")
    tables[_latency_key(THREADS[0])].note = " ".join(sentences)
