"""`recu benchmark`: latency and memory of TFLite files and networks on this machine."""

import argparse

from experiments.options import Parser

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "benchmark"
HELP = "measure latency and memory of TFLite files and networks on this machine"
DESCRIPTION = (
    "Measures latency and memory of TFLite files with every backend of the interpreters, all in "
    "turns. A network is measured as its binary file and as its float32 and int8 baselines; a file "
    "is compared with the others given."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu benchmark`."""
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a .tflite file, a folder with a model.tflite in it, a run directory, a .keras file, "
        "a .h5 file or a SavedModel directory",
    )
    parser.option(
        "--threads", metavar="N", type=int, nargs="+", default=[1, 2], help="numbers of threads"
    )
    parser.option(
        "--repeats", metavar="N", type=int, default=50, help="number of timed runs of each"
    )
    parser.option("--json", metavar="FILE", help="file to write all numbers to (default: none)")


def run(options: argparse.Namespace) -> None:
    """Measures and prints the tables."""
    from experiments import tflite_benchmark

    print(tflite_benchmark.measure(options.files, options.threads, options.repeats, options.json))
