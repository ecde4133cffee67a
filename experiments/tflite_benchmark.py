"""Latency and memory of TFLite files and of networks on this machine."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import export
from experiments.machine import machine
from experiments.quiet import quiet_standard_error
from export.conversion.baselines import twins
from export.keras_graph.inputs_outputs import random_inputs
from export.loading.sources import LOADERS
from export.measurement.comparison import Breakdown, Comparison, breakdown, compare
from export.measurement.latency import Benchmark, Failure, Latency, benchmark, fastest
from export.measurement.memory import loaded_memory
from export.tflite.backends import BACKENDS, FLOAT_BACKENDS, find_backends, has_binary_operators
from recu_tf.runs.atomic_write import write_aside

__all__ = ["measure"]

INSIDE = ("model.tflite", "export/model.tflite")
ALLOWED = (
    "a .tflite file, a folder with a model.tflite in it, a run directory, a .keras file, a .h5 "
    "file or a SavedModel directory"
)
# For the steps of the rewriting.
PROOF_IMAGES = 8
# Keys of the JSON that programs read, by the attributes they hold.
KEYS = {"backend": "kernel"}
UNRELATED = "It is not known whether the files that were given as such compute the same."


@dataclass(frozen=True)
class File:
    """A TFLite file to measure.

    Attributes:
        name: in the table.
        flatbuffer: its bytes.
        network: what it was made of, "" where that is not known; files of one network are compared
            with each other.
        binary: whether it has binary operators.
    """

    name: str
    flatbuffer: bytes
    network: str
    binary: bool


def _check(paths: list[str], threads: list[int], repeats: int, json_path: str | None) -> None:
    seen = set()
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; FILE must be {ALLOWED}.")
        if path.resolve() in seen:
            raise ValueError(f"FILE must name each file once, got {path} twice.")
        seen.add(path.resolve())
    if min(threads) < 1 or len({*threads}) < len(threads):
        raise ValueError(
            "`threads` must be numbers of at least 1, each given once, got "
            f"{' '.join(map(str, threads))}."
        )
    if repeats < 1:
        raise ValueError(f"`repeats` must be at least 1, got {repeats}.")
    if json_path is None:
        return
    target = Path(json_path)
    if target.is_dir() or not target.resolve().parent.is_dir():
        raise ValueError(f"`json` must be a file in a directory that exists, got {json_path!r}.")
    if target.resolve() in seen:
        raise ValueError(f"`json` must not be one of the files to measure, got {json_path!r}.")


def _file(path: Path, name: str, network: str) -> File:
    flatbuffer = path.read_bytes()
    try:
        return File(name, flatbuffer, network, has_binary_operators(flatbuffer))
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no TFLite file: {error}") from error


def _files(path: Path) -> list[File]:
    """What is at a path; of a network its binary file, as exported or made now, and its twins."""
    if path.suffix == ".tflite" and path.is_file():
        return [_file(path, str(path), "")]
    inside = [path / name for name in INSIDE if (path / name).is_file()]
    if inside and not (path / "config.json").is_file():
        return [_file(inside[0], str(inside[0]), "")]
    kinds = [(path / name).exists() for name in ("config.json", "saved_model.pb")]
    if not any(kinds) and path.suffix not in LOADERS:
        raise ValueError(f"{path} must be {ALLOWED}; it is none.")
    model = export.float32_model(export.load(path).model)
    name = str(path)
    try:
        if inside:
            main = _file(inside[0], str(inside[0]), name)
        else:
            inputs = random_inputs(model, PROOF_IMAGES)
            flatbuffer = export.convert(export.rewrite(model, inputs)[0])
            main = File(name, flatbuffer, name, has_binary_operators(flatbuffer))
        made = twins(model)
    except ValueError as error:
        raise error if name in str(error) else ValueError(f"{path}: {error}") from error
    return [main, *(File(f"{name} ({kind})", one, name, False) for kind, one in made.items())]


def _memory(file: File) -> tuple[dict[str, int | None], list[Failure]]:
    """Of a file with each backend of the engine, and the backends that refuse it or crash."""
    found, failures = {}, []
    for backend, options in (BACKENDS if file.binary else FLOAT_BACKENDS).items():
        try:
            found[backend] = loaded_memory(file.flatbuffer, options)
        except RuntimeError as error:
            failures.append(Failure(file.name, backend, str(error)))
    return found, failures


def _explain(
    file: File, others: list[File], latencies: list[Latency], repeats: int
) -> Breakdown | Failure:
    backend = fastest(latencies, file.name).backend
    backends = {one.name: (one.flatbuffer, fastest(latencies, one.name).backend) for one in others}
    try:
        return breakdown(file.name, file.flatbuffer, backend, backends, repeats)
    except (RuntimeError, ValueError) as error:
        return Failure(f"{file.name} in parts", backend, " ".join(str(error).split()))


def _table(files: list[File], memory: dict[str, dict[str, int | None]], measured: Benchmark) -> str:
    lines = []
    for file in files:
        lines.append(f"{file.name}: {len(file.flatbuffer):,} bytes")
        lines.append(
            f"  {'backend':<24} {'memory kB':>9} {'threads':>7} {'median ms':>9} {'p95':>8} "
            f"{'min':>8}"
        )
        for one in measured.latencies:
            if one.name == file.name:
                size = memory[file.name].get(one.backend)
                mark = fastest(measured.latencies, file.name, one.threads) is one
                lines.append(
                    f"  {one.backend:<24} {'' if size is None else f'{size / 1000:,.0f}':>9} "
                    f"{one.threads:>7} {one.median_ms:>9.2f} {one.p95_ms:>8.2f} "
                    f"{one.min_ms:>8.2f}{'  fastest' if mark else ''}"
                )
        lines += [
            f"  {one.backend:<24} cannot run it: {one.reason}"
            for one in measured.failures
            if one.name == file.name
        ]
    return "\n".join(lines)


def _as_json(measured: Latency | Failure | Comparison | Breakdown) -> dict:
    """The attributes of what was measured, by the keys that they have in the JSON."""
    return asdict(
        measured,
        dict_factory=lambda pairs: {KEYS.get(name, name): value for name, value in pairs},
    )


def measure(
    paths: list[str], threads: list[int], repeats: int = 50, json_path: str | None = None
) -> str:
    """Measures files and networks in one run, all taking turns.

    Args:
        paths: TFLite files of any kind, folders with a `model.tflite`, and networks: what
            `export.load` takes. Of a network its binary file (the exported one, where the run has
            one), its float32 twin and its int8 twin are measured. Files given as such count as of
            one network.
        threads: numbers of threads.
        repeats: how often each is timed.
        json_path: where to write all numbers; None means nowhere.

    Returns:
        A table of latencies and memory, each binary file against the others of its network, and,
        where one thread is among `threads`, where its time goes.

    Raises:
        FileNotFoundError: there is nothing at one of `paths`.
        OSError: the JSON cannot be written.
        ValueError: a path is nothing that can be measured, is damaged or given twice, or a number
            is out of range.
    """
    _check(paths, threads, repeats, json_path)
    here = machine()
    with quiet_standard_error():
        files = [file for path in paths for file in _files(Path(path))]
        names = [file.name for file in files]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"FILE must name each file once, got {twice[0]} twice.")
        memory, refused = {}, []
        for file in files:
            memory[file.name], failures = _memory(file)
            refused += failures
        # What refuses or crashes in a process of its own is not tried in this one.
        bad = {(one.name, one.backend) for one in refused}
        backends = {
            file.name: [
                backend
                for backend in find_backends(file.flatbuffer)
                if (file.name, backend) not in bad
            ]
            for file in files
        }
        run = benchmark({one.name: one.flatbuffer for one in files}, threads, repeats, backends)
        measured = Benchmark(run.latencies, refused + run.failures)
        comparisons: list[Comparison] = []
        breakdowns: list[Breakdown | Failure] = []
        for file in (one for one in files if one.binary):
            others = [one for one in files if not one.binary and one.network == file.network]
            for one in others:
                comparisons += compare(measured.latencies, file.name, one.name)
            if 1 in threads:
                breakdowns.append(_explain(file, others, measured.latencies, repeats))
    if json_path is not None:
        values = {
            "machine": here,
            "threads": threads,
            "repeats": repeats,
            "files": [
                {
                    "name": one.name,
                    "network": one.network,
                    "binary": one.binary,
                    "bytes": len(one.flatbuffer),
                    "memory_bytes": memory[one.name],
                }
                for one in files
            ],
            "latencies": [_as_json(one) for one in measured.latencies],
            "failures": [_as_json(one) for one in measured.failures],
            "comparisons": [{"speedup": one.speedup, **_as_json(one)} for one in comparisons],
            "breakdowns": [_as_json(one) for one in breakdowns],
        }
        text = json.dumps(values, indent=2) + "\n"
        write_aside(Path(json_path), lambda aside: aside.write_text(text, "utf-8"))
    head = (
        f"{here['cpu']}, {here['cores']} cores, load {here['load']:.1f} before; "
        f"{repeats} repeats, all in turns, a backend and a number of threads each"
    )
    if here["load"] > here["cores"] / 2:
        head += "\nThe machine does other work: believe the fastest runs, not the medians."
    blocks = [head, _table(files, memory, measured), *map(str, comparisons)]
    unknown = {one.name for one in files if not one.network}
    if any(one.binary.name in unknown for one in comparisons):
        blocks.append(UNRELATED)
    blocks += map(str, breakdowns)
    return "\n".join(blocks)
