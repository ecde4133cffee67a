"""`recu benchmark`: latency and memory of TFLite files and networks on this machine."""

import argparse
from pathlib import Path

from experiments.declarations import FOLDER_OR_NETWORK, NAMED_NETWORK
from experiments.options import Parser

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "benchmark"
HELP = "measure latency and memory of TFLite files and networks on this machine"
DESCRIPTION = (
    "Measures latency and memory of TFLite files with every backend of the interpreters, all in "
    "turns: the delegate first, then the engine's. A network is measured as its binary file and as "
    "its float32 and int8 baselines; a file is compared with the others given. The last line says "
    "how many times as fast as float32 the binary file is here, and why if it is not."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu benchmark`."""
    parser.network(
        "files",
        several=True,
        help=f"{FOLDER_OR_NETWORK}, or {NAMED_NETWORK} unless --weights is given",
    )
    parser.weights("the network is untrained and has ReCU")
    parser.option(
        "--threads", metavar="N", type=int, nargs="+", default=[1, 2], help="numbers of threads"
    )
    parser.option(
        "--repeats", metavar="N", type=int, default=50, help="number of timed runs of each"
    )
    parser.option(
        "--delegate_backends",
        metavar="NAME",
        nargs="+",
        default=[],
        help="backends of the delegate, such as AVX2 and portable",
        if_omitted="the fastest one that this processor has",
    )
    parser.option(
        "--profile",
        action="store_true",
        help="list each step of the delegate: time, multiply-accumulates, how far it is from what "
        "the processor can do",
    )
    parser.option("--json", metavar="FILE", help="file to write all numbers to")


def run(options: argparse.Namespace) -> None:
    """Measures, writes the numbers to --json and prints the tables."""
    from experiments.tflite_benchmark.benchmark_run import measure
    from experiments.tflite_benchmark.benchmark_text import as_text
    from recu_tf.runs.atomic_write import write_json

    _check_json_path(options.json, options.files)
    results = measure(
        options.files,
        options.threads,
        options.repeats,
        profile=options.profile,
        weights=options.weights,
        delegate_backends=options.delegate_backends,
    )
    if options.json is not None:
        write_json(Path(options.json), results.as_json())
    print(as_text(results, profile=options.profile))


def _check_json_path(json_path: str | None, files: list[str]) -> None:
    if json_path is None:
        return
    target = Path(json_path)
    if target.is_dir() or not target.resolve().parent.is_dir():
        raise ValueError(f"`json` must be a file in a directory that exists, got {json_path!r}.")
    if target.resolve() in [Path(path).resolve() for path in files]:
        raise ValueError(f"`json` must not be one of the files to measure, got {json_path!r}.")
