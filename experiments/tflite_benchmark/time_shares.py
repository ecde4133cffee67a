"""Where the time of the binary files of a benchmark goes, and why one is slower than float32."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from experiments.tflite_benchmark.benchmark_files import File
from export.measurement.comparison import (
    Breakdown,
    Comparison,
    SubgraphLatency,
    break_down,
    compare,
)
from export.measurement.delegate_profile import DelegateProfile
from export.measurement.latency import Failure, Latency, find_fastest
from export.measurement.profiling import profile_delegate
from export.measurement.speed_sentence import explain, write_sentence
from export.measurement.subgraphs import count_multiply_accumulates
from export.tflite.backends import split_delegate
from recu_tf.messages import in_one_line

__all__ = ["TimeShares", "find_time_shares"]


@dataclass(frozen=True)
class TimeShares:
    """Where the time of binary files goes.

    Attributes:
        comparisons: of each binary file with the others of its network.
        breakdowns: of each that the engine runs fastest, on one thread.
        profiles: of each that the delegate runs.
        sentences: of each, how many times as fast as float32 it is.
    """

    comparisons: list[Comparison] = field(default_factory=list)
    breakdowns: list[Breakdown | Failure] = field(default_factory=list)
    profiles: list[DelegateProfile | Failure] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def find_time_shares(
    files: Sequence[File],
    latencies: Sequence[Latency],
    threads: Sequence[int],
    repeats: int,
    *,
    in_full: bool = False,
) -> TimeShares:
    """Compares binary files with the others of their networks, and measures where their time goes.

    Args:
        files: all files of a benchmark.
        latencies: of these files.
        threads: numbers of threads that they were measured with.
        repeats: number of timed runs of each part.
        in_full: whether to measure the delegate's steps with each of its backends and number of
            threads; if not, with the fastest backend and the smallest number.
    """
    found = TimeShares()
    for file in files:
        if not file.binary:
            continue
        others = [other for other in files if not other.binary and other.network == file.network]
        for other in others:
            found.comparisons.extend(compare(latencies, file.name, other.name))
        least = min(threads)
        fastest = find_fastest(latencies, file.name, least)
        in_delegate, _ = split_delegate(fastest.backend)
        breakdown = profile = None
        if not in_delegate and least == 1:
            breakdown = _break_down(file, others, latencies, repeats)
            found.breakdowns.append(breakdown)
        measured = {latency.backend for latency in latencies if latency.name == file.name}
        for backend in sorted(filter(lambda name: split_delegate(name)[0], measured)):
            if not in_full and backend != fastest.backend and in_delegate:
                continue
            for count in sorted(threads) if in_full else [least]:
                some = _profile(file, backend, count, repeats)
                found.profiles.append(some)
                if (backend, count) == (fastest.backend, least):
                    profile = some
        baseline = next((other for other in others if not other.quantized), None)
        found.sentences.append(
            _write_sentence(
                fastest,
                baseline,
                baseline and find_fastest(latencies, baseline.name, least),
                breakdown or profile,
            )
        )
    return found


def _write_sentence(
    fastest: Latency,
    baseline: File | None,
    latency: Latency | None,
    measured: Breakdown | DelegateProfile | Failure | None,
) -> str:
    if baseline is None:
        return (
            f"{fastest.name} takes {fastest.median_ms:.2f} ms here ({fastest.backend}), and was "
            "not compared with float32: name its network to have that measured as well."
        )
    macs = count_multiply_accumulates(baseline.flatbuffer)
    whole = SubgraphLatency(baseline.name, {}, macs, latency.median_ms)
    if isinstance(measured, Breakdown):
        # Measured in turns with the parts.
        whole = next(other for other in measured.others if other.name == baseline.name)
    if baseline.network:  # its own baseline needs no longer name
        latency, whole = (replace(found, name="float32") for found in (latency, whole))
    reasons = explain(None if isinstance(measured, Failure) else measured, whole)
    return write_sentence(fastest.name, fastest, latency, reasons)


def _profile(file: File, backend: str, threads: int, repeats: int) -> DelegateProfile | Failure:
    _, of_delegate = split_delegate(backend)
    try:
        return profile_delegate(
            file.name, file.flatbuffer, threads=threads, backend=of_delegate, repeats=repeats
        )
    except (RuntimeError, ValueError) as error:
        return Failure(f"{file.name} step by step", backend, in_one_line(error))


def _break_down(
    file: File, others: Sequence[File], latencies: Sequence[Latency], repeats: int
) -> Breakdown | Failure:
    backend = find_fastest(latencies, file.name).backend
    compared = {
        other.name: (other.flatbuffer, find_fastest(latencies, other.name).backend)
        for other in others
    }
    try:
        return break_down(file.name, file.flatbuffer, backend, compared, repeats=repeats)
    except (RuntimeError, ValueError) as error:
        return Failure(f"{file.name} in segments", backend, in_one_line(error))
