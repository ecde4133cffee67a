"""The options of `recu verify`, and what it does."""

import argparse

from experiments.options import DATASETS, Parser
from experiments.quiet import quiet_standard_error

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Adds what `recu verify` takes."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a folder that `recu export` wrote")
    parser.option(
        "--network",
        metavar="PATH",
        help="the network that was exported: a run directory, a .keras file, a .h5 file or a "
        "SavedModel directory; None means the one beside the folder, if it is still the same",
    )
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="images to compare on, normalised as is usual for them; None means those of the "
        "export",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies; None means that of the training",
    )
    parser.option(
        "--images",
        metavar="DIR",
        help="folder of images to compare on, as for recu export; None means those of the data set",
    )


def run(options: argparse.Namespace) -> None:
    """Checks and prints what was found."""
    from export import reverification

    with quiet_standard_error():
        found = reverification.reverify(
            options.bundle,
            options.network,
            options.dataset,
            options.data_path,
            options.images,
        )
    print(found)
