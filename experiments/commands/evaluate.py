"""`recu evaluate`: top-1, top-5 and loss of a network on the test images."""

import argparse

from experiments.declarations import DATASETS, FOLDER_OR_NETWORK, SETTINGS
from experiments.options import Parser

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "evaluate"
HELP = "print top-1, top-5 and loss of a network on the test images"
DESCRIPTION = (
    "Prints top-1, top-5 and loss of a trained network on all test images. A run directory, and a "
    "file inside one, are evaluated on the data set of the run with its normalisation, and one of "
    "--pretrained on the data set that it was trained on; any other network needs --dataset. A "
    ".tflite file runs with the delegate where that was compiled, and else in Larq Compute Engine. "
    "The graph of a SavedModel can read and write files: load only those that you would run."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu evaluate`."""
    parser.network(
        "path",
        help=f"{FOLDER_OR_NETWORK}, or with --weights the name of a network, such as zoo/QuickNet",
    )
    parser.which()
    parser.checkpoint_model()
    parser.weights("names are refused")
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="data set whose test images are used, with its usual normalisation",
        if_omitted="that of the run, or of --pretrained; of a checkpoint, inferred from its number "
        "of classes; of a name, that of its --weights, cifar10 or imagenet",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images",
        if_omitted="that of the run, or the usual place",
    )
    parser.option(
        "--batch_size_test",
        "-bt",
        type=int,
        help="images per step",
        if_omitted=f"that of the run, or {SETTINGS['batch_size_test'].default}",
    )


def run(options: argparse.Namespace) -> None:
    """Evaluates the network and prints the results."""
    from experiments.network_evaluation import evaluate

    names = ("path", "which", "model", "weights", "dataset", "data_path", "batch_size_test")
    print(evaluate(**{name: getattr(options, name) for name in names}))
