"""`recu verify`: a check of a folder that `recu export` wrote."""

import argparse

from experiments.declarations import DATASETS, NETWORK
from experiments.options import Parser
from experiments.quiet import quiet_standard_error

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "verify"
HELP = "check a folder of recu export again"
DESCRIPTION = (
    "Checks a folder that recu export wrote: the SHA-256 of its files, its golden sample with "
    "the delegate and every backend of the engine that can run it, and, where the network is at "
    "hand, the outputs of both against Keras as at the export. The exit code is 1 if something "
    "differs."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu verify`."""
    parser.add_argument("bundle", metavar="FOLDER", help="a folder that `recu export` wrote")
    parser.option(
        "--network",
        metavar="NETWORK",
        help=f"the network that was exported: {NETWORK}",
        if_omitted="the one beside the folder, if it is still the same",
    )
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="data set whose images the outputs are compared on, with its usual normalisation",
        if_omitted="that of the export",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies",
        if_omitted="where the training found it",
    )
    parser.option(
        "--images",
        metavar="DIR",
        help="folder of images to compare the outputs on, as for recu export",
        if_omitted="the images of the data set",
    )


def run(options: argparse.Namespace) -> None:
    """Checks the folder and prints the findings."""
    from export import reverification

    with quiet_standard_error():
        found = reverification.reverify(
            options.bundle,
            network=options.network,
            dataset=options.dataset,
            data_path=options.data_path,
            images_path=options.images,
        )
    print(found)
