"""`recu report`: an HTML page about one run or several side by side."""

import argparse

from experiments.declarations import MOST_REPORTED
from experiments.options import Parser, non_empty

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "report"
HELP = "write an HTML page about one run or several side by side"
DESCRIPTION = (
    "Writes one self-contained HTML file: curves, the layers over the epochs, weights, memory, a "
    "confusion matrix and settings, and the differences between runs. Its charts show their values "
    "under the pointer, and zoom."
)


class _Runs(argparse.Action):
    """Refuses too many runs before anything slow is imported."""

    def __call__(self, parser, namespace, values, option_string=None):
        if len(values) > MOST_REPORTED:
            raise argparse.ArgumentError(
                self, f"must be 1 to {MOST_REPORTED} run directories, got {len(values)}"
            )
        setattr(namespace, self.dest, values)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu report`."""
    parser.add_argument(
        "directories",
        metavar="RUN",
        nargs="+",
        action=_Runs,
        type=non_empty,
        help="a run directory, or RESULTS_DIR/SAVE of recu train --seeds, whose runs become one "
        f"line with their mean and standard deviation; 1 to {MOST_REPORTED} lines",
    )
    parser.option(
        "--out", metavar="FILE", help="page to write", if_omitted="report.html in the first RUN"
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the test images lie",
        if_omitted="where the training found them",
    )


def run(options: argparse.Namespace) -> None:
    """Writes the page and prints its path."""
    from experiments import report

    print(f"Wrote {report.report(options.directories, options.out, options.data_path)}")
