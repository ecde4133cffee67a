"""One run of a benchmark: latency and memory of files, and where their time goes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from experiments.machine import describe_machine
from experiments.quiet import quiet_standard_error
from experiments.tflite_benchmark.benchmark_files import File, check_paths, find_files
from experiments.tflite_benchmark.time_shares import TimeShares, find_time_shares
from export import runtime
from export.measurement.comparison import Breakdown, Comparison
from export.measurement.delegate_profile import DelegateProfile
from export.measurement.latency import Benchmark, Failure, Latency, benchmark
from export.measurement.memory import measure_loaded_memory
from export.runtime.delegate_facts import describe_runtime, name_backend
from export.tflite.backends import BACKENDS, DELEGATE, FLOAT_BACKENDS, find_backends

__all__ = ["Results", "measure"]

# As many as the delegate takes. Interpreters wait busily for their threads.
MOST_THREADS = 256
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
        shares: where the time of the binary files goes.
        delegate: the delegate's backend and the interpreter it is in; None where it is missing.
        problem: why the delegate is missing, and how to get it; None where it is not.
    """

    machine: dict[str, object]
    threads: Sequence[int]
    repeats: int
    files: list[File]
    memory: dict[str, dict[str, int | None]]
    measured: Benchmark
    shares: TimeShares
    delegate: str | None
    problem: str | None

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
                for comparison in self.shares.comparisons
            ],
            "breakdowns": [_as_json(breakdown) for breakdown in self.shares.breakdowns],
            "delegate": {"runtime": self.delegate, "problem": self.problem},
            "profiles": [_as_json(profile) for profile in self.shares.profiles],
            "sentences": self.shares.sentences,
        }


def _as_json(
    measured: Latency | Failure | Comparison | Breakdown | DelegateProfile,
) -> dict[str, object]:
    """The attributes by the keys that they have in the JSON."""
    return asdict(
        measured,
        dict_factory=lambda pairs: {KEYS.get(name, name): value for name, value in pairs},
    )


def measure(
    paths: Sequence[str],
    threads: Sequence[int],
    repeats: int = 50,
    *,
    profile: bool = False,
    weights: str | None = None,
    delegate_backends: Sequence[str] = (),
) -> Results:
    """Measures files and networks in one run, all taking turns.

    Args:
        paths: TFLite files of any kind, folders with a `model.tflite`, and networks: what
            `export.load` takes, names included. A network is measured as its binary file (the
            exported one, if the run has one) and its float32 and int8 baselines. Files given as
            such count as of one network.
        threads: numbers of threads.
        repeats: number of timed runs of each.
        weights: of the name of a network among `paths`, see `export.load`.
        profile: whether to measure the steps of the delegate with each number of threads.
        delegate_backends: of the delegate; none means the one that it selects.

    Raises:
        FileNotFoundError: there is nothing at one of `paths`.
        ValueError: a path is nothing that can be measured, is damaged or given twice, a number is
            out of range, or the delegate is missing or has no such backend here.
    """
    check_paths(paths, weights)
    _check_delegate_backends(delegate_backends)
    if min(threads) < 1 or max(threads) > MOST_THREADS or len({*threads}) < len(threads):
        raise ValueError(
            f"`threads` must be numbers from 1 to {MOST_THREADS}, each given once, got "
            f"{' '.join(map(str, threads))}."
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be at least 1, got {repeats}.")
    # Described first, so that its load is that of other programs.
    machine = describe_machine()
    with quiet_standard_error():
        files = find_files(paths, weights)
        memory, measured = _memory_and_latency(files, threads, repeats, delegate_backends)
        shares = find_time_shares(files, measured.latencies, threads, repeats, in_full=profile)
        problem = runtime.find_problem()
        described = [] if problem else map(describe_runtime, delegate_backends or [None])
        delegate = ", ".join(described) or None
    return Results(machine, threads, repeats, files, memory, measured, shares, delegate, problem)


def _check_delegate_backends(names: Sequence[str]) -> None:
    problem = runtime.find_problem()
    if names and problem is not None:
        raise ValueError(f"`delegate_backends` needs the delegate: {problem}")
    if len({*names}) < len(names):
        raise ValueError(f"`delegate_backends` must name each once, got {', '.join(names)}.")
    for name in names:
        try:
            runtime.delegate(backend=name)
        except ValueError as error:
            raise ValueError(
                "`delegate_backends` must be backends of the delegate that this processor has, "
                f"such as {name_backend(runtime.delegate())!r} and 'portable', got {name!r}."
            ) from error


def _memory_and_latency(
    files: list[File], threads: Sequence[int], repeats: int, delegate_backends: Sequence[str]
) -> tuple[dict[str, dict[str, int | None]], Benchmark]:
    memory, failures = {}, []
    for file in files:
        memory[file.name], failed = _memory(file)
        failures += failed
    # A backend that refuses or crashes in a process of its own is not tried in this one.
    failing = {(failure.name, failure.backend) for failure in failures}
    delegates = [f"{DELEGATE} {name}" for name in delegate_backends] or [DELEGATE]
    backends = {
        file.name: [
            backend
            for found in find_backends(file.flatbuffer)
            for backend in (delegates if found == DELEGATE else [found])
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
