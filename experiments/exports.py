"""The options of `recu export`, and what it does."""

import argparse

from experiments.options import DATASETS, Parser, from_one
from experiments.quiet import quiet_standard_error

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    """Adds what `recu export` takes."""
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a run directory, a .keras file, a .h5 file or a SavedModel directory",
    )
    parser.which()
    parser.option(
        "--out",
        metavar="DIR",
        help="folder to write; None means RUN/export, or NAME_export beside a file",
    )
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="images to prove it on, normalised as is usual for them; None means those of the run, "
        "or random ones",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images; None means that of the training (digits come with scikit-learn and have none)",
    )
    parser.option(
        "--batch_size", "-b", type=from_one, default=1, help="images that the file takes at a time"
    )
    parser.option(
        "--input",
        choices=("float32", "uint8"),
        default="float32",
        help="what the file takes: normalised images, or pixels from 0 to 255, which it "
        "normalises itself",
    )
    parser.option(
        "--softmax", action="store_true", help="have the file give probabilities for logits"
    )
    parser.option(
        "--int8",
        action="store_true",
        help="quantize what is not binary, calibrated on training images",
    )
    parser.option(
        "--target",
        choices=("arm", "xcore"),
        default="arm",
        help="what the file is for; arm runs on x86 too",
    )
    parser.option(
        "--strict",
        action=argparse.BooleanOptionalAction,
        help="fail if a layer that should be binary is not; None means for networks trained or "
        "imported here",
    )


def run(options: argparse.Namespace) -> None:
    """Exports and prints the report."""
    import export
    from export import sources

    chosen = export.Options(
        batch_size=options.batch_size,
        uint8=options.input == "uint8",
        softmax=options.softmax,
        int8=options.int8,
        target=options.target,
        strict=options.strict,
    )
    with quiet_standard_error():
        source = sources.load(options.path, options.which)
        report = export.export_bundle(
            source, options.out, chosen, options.dataset, options.data_path
        )
    print(report)
