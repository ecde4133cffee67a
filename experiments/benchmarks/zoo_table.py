"""Parameters, size and latency of the networks of larq-zoo with ReCU, at 224x224.

    python -m experiments.benchmarks.zoo_table zoo.json

Measures each network that the file lacks, in a process of its own, writes its numbers into the file
and at the end prints the table: a second call continues. The binary file runs with the delegate and
the backends of the engine, the float32 baseline with those of TensorFlow Lite and the engine, in
turns on one thread. Weights are random: no latency depends on them.
"""

import argparse
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tabulate import tabulate

from experiments.machine import describe_machine
from experiments.quiet import quiet_standard_error
from recu_tf.choices import ZOO_NETWORKS, ZOO_PREFIX
from recu_tf.runs.atomic_write import write_aside

__all__ = ["describe_table", "measure_network"]

# Takes seconds for a network of this size.
LEFT_OUT = "reference"
BINARY, FLOAT = "binary", "float32"
# The steps of the rewriting are verified on so many.
REWRITING_IMAGES = 2
HEADERS = (
    "network",
    "parameters",
    "binary ones",
    "binary file",
    "float32 file",
    "delegate",
    "engine",
    "float32",
)


def measure_network(name: str, repeats: int) -> dict[str, object]:
    """Builds, converts and measures a network.

    Args:
        name: one of `recu_tf.choices.ZOO_NETWORKS`.
        repeats: number of timed runs of each backend.

    Returns:
        Its parameters, the bytes of its files, the fastest backends with their median latencies in
        milliseconds, and the machine.
    """
    import export
    from export.conversion.baselines import convert_float_baseline
    from export.keras_graph.inputs_outputs import draw_inputs
    from export.measurement.latency import benchmark, find_fastest
    from export.runtime.delegate_facts import describe_runtime
    from export.tflite.backends import BACKENDS, DELEGATE, find_backends
    from recu_tf import larq_summary

    machine = describe_machine()
    with quiet_standard_error():
        loaded = export.load(ZOO_PREFIX + name).model
        profile = larq_summary.profile(loaded)
        model = export.float32_model(loaded)
        rewritten, _ = export.rewrite(model, draw_inputs(model, REWRITING_IMAGES))
        files = {BINARY: export.convert(rewritten), FLOAT: convert_float_baseline(model)}
        backends = {
            kind: [backend for backend in find_backends(file) if backend != LEFT_OUT]
            for kind, file in files.items()
        }
        latencies = benchmark(files, repeats=repeats, backends=backends).latencies
    engine = [latency for latency in latencies if latency.backend in BACKENDS]
    delegate = [latency for latency in latencies if latency.backend == DELEGATE]
    fastest = {
        "engine": find_fastest(engine, BINARY),
        FLOAT: find_fastest(latencies, FLOAT),
        **({DELEGATE: find_fastest(delegate, BINARY)} if delegate else {}),
    }
    return {
        "parameters": profile.weight_count(),
        "binary_parameters": profile.weight_count(1),
        "bytes": {kind: len(file) for kind, file in files.items()},
        "median_ms": {kind: latency.median_ms for kind, latency in fastest.items()},
        "backends": {kind: latency.backend for kind, latency in fastest.items()},
        "delegate": describe_runtime(None) if delegate else None,
        "repeats": repeats,
        "machine": machine,
    }


def describe_table(measured: dict[str, dict]) -> str:
    """The table in Markdown.

    Args:
        measured: what `measure_network` returned, by name.
    """
    rows = []
    for name, values in measured.items():
        latencies = (values["median_ms"].get(kind) for kind in ("delegate", "engine", FLOAT))
        rows.append(
            [
                name,
                f"{values['parameters'] / 1e6:.1f} M",
                f"{values['binary_parameters'] / values['parameters']:.0%}",
                *(f"{values['bytes'][kind] / 1e6:.2f} MB" for kind in (BINARY, FLOAT)),
                *("" if latency is None else f"{latency:.1f} ms" for latency in latencies),
            ]
        )
    return tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)


def _measure_missing(path: Path, names: Sequence[str], repeats: int) -> dict[str, dict]:
    measured = json.loads(path.read_text("utf-8")) if path.exists() else {}
    # A process of its own returns the memory of a network, and none inherits TensorFlow's threads.
    context = multiprocessing.get_context("spawn")
    for name in names:
        if name in measured:
            continue
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            measured[name] = pool.submit(measure_network, name, repeats).result()
        text = json.dumps(measured, indent=2) + "\n"
        write_aside(path, lambda aside, text=text: aside.write_text(text, "utf-8"))
        print(f"{name}: {measured[name]['median_ms']}", flush=True)
    return measured


def main() -> None:
    """Measures what the file lacks, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="JSON file with the numbers, new or to continue")
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of each backend")
    parser.add_argument("--networks", nargs="+", choices=ZOO_NETWORKS, default=ZOO_NETWORKS)
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats must be at least 1, got {options.repeats}")
    measured = _measure_missing(options.file, options.networks, options.repeats)
    print(describe_table({name: measured[name] for name in options.networks}))


if __name__ == "__main__":
    main()
