"""`python -m experiments.benchmarks`: measures the parts and writes the page, see `make bench`."""

import json
import os
from pathlib import Path

from experiments.benchmarks.benchmark_networks import list_networks
from experiments.benchmarks.benchmark_progress import BenchmarkOptions
from experiments.benchmarks.parts import PARTS, RESULTS, TREE, measure_part
from experiments.benchmarks.published_step import find_problem
from experiments.benchmarks.result_plots import draw_pictures
from experiments.benchmarks.results_page import write_page
from experiments.machine import describe_machine
from experiments.options import Parser, positive_integer
from recu_tf import json_text
from recu_tf.runs.atomic_write import write_aside

NUMBERS, PAGE = "benchmarks.json", "benchmarks.md"
ZOO_GROUP = "zoo"
ALL_OF_ZOO = [name for name in list_networks() if name.startswith(f"{ZOO_GROUP}/")]


def make_parser() -> Parser:
    """The options of the benchmarks."""
    parser = Parser(
        prog="python -m experiments.benchmarks",
        description="Measures what one machine can, and writes benchmarks.md, benchmarks.json and "
        "pictures. Parts that are not measured keep the numbers that the file has of them.",
    )
    parser.option("--only", nargs="+", choices=tuple(PARTS), help="parts to measure")
    parser.option(
        "--networks",
        metavar="NAME",
        nargs="+",
        default=[],
        help="networks of the parts training (those for CIFAR), conversion and inference, such as "
        "resnet20_1w1a, imagenet/resnet18_1w1a or zoo/QuickNet; zoo means all of larq-zoo",
        if_omitted="those of each part",
    )
    parser.option(
        "--published",
        metavar="DIR",
        help="checkout of the published implementation, whose training step is measured as well",
    )
    parser.option(
        "--repeats", type=positive_integer, help="number of turns", if_omitted="each part's own"
    )
    parser.option(
        "--out", metavar="DIR", help="directory of the results", if_omitted="experiments/results"
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Measures, and writes the results after each part."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    networks = []
    for name in options.networks:
        networks += ALL_OF_ZOO if name == ZOO_GROUP else [name]
    unknown = [name for name in networks if name not in list_networks()]
    if unknown:
        parser.error(
            f"--networks must be among zoo, {', '.join(list_networks())}, got {', '.join(unknown)}."
        )
    for name in options.only or PARTS:
        known = PARTS[name].networks
        if networks and known and not {*networks} & {*known}:
            parser.error(
                f"--networks must have one of {', '.join(known)} for the part {name}, got "
                f"{', '.join(options.networks)}. --only chooses other parts."
            )
    problem = find_problem(options.published)
    if options.published is not None and problem:
        parser.error(f"--published cannot be measured: {problem}.")
    folder = Path(options.out or TREE / RESULTS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        parser.error(f"--out must be a directory, or one that can be made, got {options.out!r}.")
    if not os.access(folder, os.W_OK):
        parser.error(f"--out must be a directory that one may write to, got {options.out!r}.")
    try:
        read_results(folder)
    except ValueError as error:
        parser.error(f"--out must be a directory without a damaged {NUMBERS}: {error}.")
    machine = describe_machine()
    chosen = BenchmarkOptions(options.repeats, tuple(networks), options.published)
    for name in options.only or PARTS:
        write_results(folder, {name: measure_part(name, chosen, machine)})
    print(f"Written: {folder / PAGE}")


def read_results(folder: Path) -> dict[str, dict]:
    """The measured parts of an earlier run, by their names; none where there was no run.

    Args:
        folder: of `benchmarks.json`.

    Raises:
        ValueError: the file does not hold them.
    """
    path = folder / NUMBERS
    parts = json_text.parse(path.read_text("utf-8")) if path.exists() else {}
    if not (isinstance(parts, dict) and all(isinstance(part, dict) for part in parts.values())):
        raise ValueError("it must hold the numbers of each part")
    return {name: part for name, part in parts.items() if name in PARTS}


def write_results(folder: Path, measured: dict[str, dict]) -> None:
    """Adds measured parts to the results in a directory, in the place of those there.

    Args:
        folder: of `benchmarks.json`, `benchmarks.md` and the pictures.
        measured: what `measure_part` gave, by the names of the parts.

    Raises:
        OSError: a file cannot be written.
    """
    path = folder / NUMBERS
    parts = {**read_results(folder), **measured}
    numbers = json.dumps(parts, indent=1) + "\n"
    # First, since it holds what took so long to measure.
    write_aside(path, lambda aside: aside.write_text(numbers, "utf-8"))
    page = write_page(parts, draw_pictures(parts, folder))
    write_aside(folder / PAGE, lambda aside: aside.write_text(page, "utf-8"))


if __name__ == "__main__":
    main()
