"""`recu import`: a run directory from a published PyTorch checkpoint."""

import argparse

from experiments.declarations import DATASETS
from experiments.options import Parser

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "import"
HELP = "make a run directory from a published PyTorch checkpoint"
DESCRIPTION = (
    "Makes a run directory from a published PyTorch checkpoint (.pth.tar), which evaluate, export, "
    "summary and train --init_from take like any other run. The file is read as data only: a file "
    "that would run code is refused. The momentum of the optimizer is not imported."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu import`."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="file that torch.save wrote")
    parser.option("--out", metavar="RUN", required=True, help="run directory to make")
    parser.checkpoint_model()
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="data set it was trained on",
        if_omitted="inferred from its number of classes",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies, for evaluate and export",
        if_omitted="the usual place",
    )


def run(options: argparse.Namespace) -> None:
    """Imports the checkpoint and prints what the run holds."""
    from recu_tf.pytorch import importing

    imported_run = importing.import_checkpoint(
        options.checkpoint,
        options.out,
        model=options.model,
        dataset=options.dataset,
        data_path=options.data_path,
    )
    origin, settings = imported_run.config["imported"], imported_run.config["settings"]
    details = [f"{name} {origin[name]}" for name in ("epoch", "best_prec1") if name in origin]
    print(
        f"Imported {origin['file']}: {settings['model']} for {settings['dataset']}"
        + (f", {', '.join(details)}" if details else "")
    )
    print("The momentum of the optimizer was not imported: further training starts from none.")
    print(f"Next: recu evaluate {imported_run.path}, recu export {imported_run.path}")
