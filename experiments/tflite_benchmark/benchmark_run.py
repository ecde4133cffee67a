"""One run of a benchmark: latency and memory of files, and where their time goes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from experiments.machine import describe_machine
from experiments.quiet import quiet_standard_error
from experiments.tflite_benchmark.benchmark_files import File, check_paths, find_files
from export.measurement.comparison import Breakdown, Comparison, break_down, compare
from export.measurement.latency import Benchmark, Failure, Latency, benchmark, find_fastest
from export.measurement.memory import measure_loaded_memory
from export.tflite.backends import BACKENDS, FLOAT_BACKENDS, find_backends

__all__ = ["Results", "measure"]

# Keys of the JSON that programs read, by the attributes they hold.
KEYS = {"backend": "kernel", "subgraphs": "parts"}


@dataclass(frozen=True)
class Results:
    """What a benchmark measured.

    Attributes:
        machine: see `experiments.machine.describe_machine`.
        threads: numbers of threads.
        repeats: number of timed runs of each.
        files: the files that were measured.
        memory: bytes by name of the file and backend; None where the system does not state it.
        measured: latencies, and the backends that failed.
        comparisons: of each binary file with the others of its network.
        breakdowns: where the time of each binary file goes, on one thread.
    """

    machine: dict[str, object]
    threads: Sequence[int]
    repeats: int
    files: list[File]
    memory: dict[str, dict[str, int | None]]
    measured: Benchmark
    comparisons: list[Comparison]
    breakdowns: list[Breakdown | Failure]

    def as_json(self) -> dict[str, object]:
        """All numbers, for a JSON file."""
        return {
            "machine": self.machine,
            "threads": self.threads,
            "repeats": self.repeats,
            "files": [
                {
                    "name": file.name,
                    "network": file.network,
                    "binary": file.binary,
                    "bytes": len(file.flatbuffer),
                    "memory_bytes": self.memory[file.name],
                }
                for file in self.files
            ],
            "latencies": [_as_json(latency) for latency in self.measured.latencies],
            "failures": [_as_json(failure) for failure in self.measured.failures],
            "comparisons": [
                {"speedup": comparison.speedup, **_as_json(comparison)}
                for comparison in self.comparisons
            ],
            "breakdowns": [_as_json(breakdown) for breakdown in self.breakdowns],
        }


def _as_json(measured: Latency | Failure | Comparison | Breakdown) -> dict[str, object]:
    """The attributes by the keys that they have in the JSON."""
    return asdict(
        measured,
        dict_factory=lambda pairs: {KEYS.get(name, name): value for name, value in pairs},
    )


def measure(paths: Sequence[str], threads: Sequence[int], repeats: int = 50) -> Results:
    """Measures files and networks in one run, all taking turns.

    Args:
        paths: TFLite files of any kind, folders with a `model.tflite`, and networks: what
            `export.load` takes. A network is measured as its binary file (the exported one, if the
            run has one) and its float32 and int8 baselines. Files given as such count as of one
            network.
        threads: numbers of threads.
        repeats: number of timed runs of each.

    Raises:
        FileNotFoundError: there is nothing at one of `paths`.
        ValueError: a path is nothing that can be measured, is damaged or given twice, or a number
            is out of range.
    """
    check_paths(paths)
    if min(threads) < 1 or len({*threads}) < len(threads):
        raise ValueError(
            "`threads` must be numbers of at least 1, each given once, got "
            f"{' '.join(map(str, threads))}."
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be at least 1, got {repeats}.")
    # Described first, so that its load is that of other programs.
    machine = describe_machine()
    with quiet_standard_error():
        files = find_files(paths)
        memory, measured = _memory_and_latency(files, threads, repeats)
        comparisons, breakdowns = [], []
        for file in files:
            if not file.binary:
                continue
            others = [
                other for other in files if not other.binary and other.network == file.network
            ]
            for other in others:
                comparisons += compare(measured.latencies, file.name, other.name)
            if 1 in threads:
                breakdowns.append(_break_down(file, others, measured.latencies, repeats))
    return Results(machine, threads, repeats, files, memory, measured, comparisons, breakdowns)


def _memory_and_latency(
    files: list[File], threads: Sequence[int], repeats: int
) -> tuple[dict[str, dict[str, int | None]], Benchmark]:
    memory, failures = {}, []
    for file in files:
        memory[file.name], failed = _memory(file)
        failures += failed
    # A backend that refuses or crashes in a process of its own is not tried in this one.
    failing = {(failure.name, failure.backend) for failure in failures}
    backends = {
        file.name: [
            backend
            for backend in find_backends(file.flatbuffer)
            if (file.name, backend) not in failing
        ]
        for file in files
    }
    flatbuffers = {file.name: file.flatbuffer for file in files}
    timed = benchmark(flatbuffers, threads=threads, repeats=repeats, backends=backends)
    return memory, Benchmark(timed.latencies, failures + timed.failures)


def _memory(file: File) -> tuple[dict[str, int | None], list[Failure]]:
    """Bytes by backend, and the backends that refuse the file or crash."""
    memory, failures = {}, []
    for backend, options in (BACKENDS if file.binary else FLOAT_BACKENDS).items():
        try:
            memory[backend] = measure_loaded_memory(file.flatbuffer, options)
        except RuntimeError as error:
            failures.append(Failure(file.name, backend, str(error)))
    return memory, failures


def _break_down(
    file: File, others: list[File], latencies: list[Latency], repeats: int
) -> Breakdown | Failure:
    backend = find_fastest(latencies, file.name).backend
    compared = {
        other.name: (other.flatbuffer, find_fastest(latencies, other.name).backend)
        for other in others
    }
    try:
        return break_down(file.name, file.flatbuffer, backend, compared, repeats=repeats)
    except (RuntimeError, ValueError) as error:
        return Failure(f"{file.name} in segments", backend, " ".join(str(error).split()))
