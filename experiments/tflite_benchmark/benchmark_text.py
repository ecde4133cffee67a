"""The results of a benchmark as text."""

from collections.abc import Sequence

from tabulate import tabulate

from experiments.tflite_benchmark.benchmark_files import File
from experiments.tflite_benchmark.benchmark_run import Results
from export.measurement.comparison import format_number
from export.measurement.delegate_profile import DelegateProfile
from export.measurement.latency import find_fastest
from recu_tf.messages import format_count

__all__ = ["UNRELATED", "as_text"]

UNRELATED = "Whether the files that were given as such compute the same is not known."
HEADERS = ("backend", "memory kB", "threads", "median ms", "p95 ms", "min ms", "")
ALIGNMENT = ("left", *["right"] * 5, "left")


def as_text(results: Results, *, profile: bool = False) -> str:
    """A table of latencies and memory for each file, comparisons, and where the time goes.

    Args:
        results: of the benchmark.
        profile: whether to list each step of the delegate.

    Returns:
        Lines. The last ones say of each binary file how many times as fast as float32 it is.
    """
    machine = results.machine
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']:.1f} before; "
        f"{results.repeats} repeats; each backend and number of threads in turns"
    ]
    if machine["load"] > machine["cores"] / 2:
        lines.append("The machine does other work: trust the fastest runs, not the medians.")
    shares = results.shares
    if shares.sentences:
        lines.append(
            f"The delegate is missing: {results.problem}"
            if results.problem
            else f"Stock interpreter: {results.delegate}"
        )
    for file in results.files:
        lines += _describe(file, results)
    lines += map(str, shares.comparisons)
    unknown = {file.name for file in results.files if not file.network}
    if any(comparison.binary.name in unknown for comparison in shares.comparisons):
        lines.append(UNRELATED)
    lines += map(str, shares.breakdowns)
    lines += [
        found.summarize() if isinstance(found, DelegateProfile) and not profile else str(found)
        for found in shares.profiles
    ]
    if profile and not shares.profiles:
        lines.append("No profile: the delegate ran none of the files.")
    return "\n".join([*lines, *shares.sentences])


def _name_fastest(threads: int, all_threads: Sequence[int]) -> str:
    return "fastest" if len(all_threads) == 1 else f"fastest, {format_count(threads, 'thread')}"


def _describe(file: File, results: Results) -> list[str]:
    """The size of a file, the table of its backends, and the backends that cannot run it."""
    latencies, rows = results.measured.latencies, []
    for latency in latencies:
        if latency.name != file.name:
            continue
        memory = results.memory[file.name].get(latency.backend)
        is_fastest = find_fastest(latencies, file.name, latency.threads) is latency
        rows.append(
            (
                latency.backend,
                "" if memory is None else f"{memory / 1000:,.0f}",
                latency.threads,
                *map(format_number, (latency.median_ms, latency.p95_ms, latency.min_ms)),
                _name_fastest(latency.threads, results.threads) if is_fastest else "",
            )
        )
    table = tabulate(rows, HEADERS, tablefmt="plain", disable_numparse=True, colalign=ALIGNMENT)
    return [
        f"{file.name}: {len(file.flatbuffer):,} bytes",
        *(f"  {line.rstrip()}" for line in table.splitlines()),
        *(
            f"  {failure.backend} cannot run it: {failure.reason}"
            for failure in results.measured.failures
            if failure.name == file.name
        ),
    ]
