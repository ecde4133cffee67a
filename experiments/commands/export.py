"""The options of `recu export`, and what it does."""

import argparse
import contextlib
import logging
import math
import warnings
from collections.abc import Iterator
from typing import TextIO

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
        help="images to prove it on, normalised as is usual for them unless --mean, --std, --scale "
        "or a Rescaling layer of the network tell otherwise; None means those of the run, or "
        "random ones",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images; None means that of the training (digits come with scikit-learn and have none)",
    )
    parser.option(
        "--images",
        metavar="DIR",
        help="folder of images to prove it on instead, resized as predict.py does: in a folder for "
        "each class, or all in one without labels; --int8 is calibrated on them too unless a data "
        "set is known",
    )
    parser.option(
        "--labels",
        metavar="FILE",
        help="text file, a class name per line in the order of the outputs; None means those of "
        "the run, or the names of the folders of --images in alphabetical order",
    )
    parser.option(
        "--mean",
        metavar="M,M,M",
        type=_numbers,
        help="the network takes (pixel * scale - mean) / std of pixels from 0 to 255: mean of each "
        "channel, or one number for all; None means 0 where --std or --scale is given",
    )
    parser.option(
        "--std",
        metavar="S,S,S",
        type=_positive_numbers,
        help="likewise; None means 1 where --mean or --scale is given",
    )
    parser.option(
        "--scale",
        metavar="X",
        type=_factor,
        help="likewise, a number or a fraction such as 1/127.5; 1 alone means pixels as they are; "
        "None means 1/255 where --mean or --std is given",
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
        help="fail if a layer that should be binary is not, or if the engine's default backend "
        "refuses the file; None means for networks trained or imported here",
    )
    parser.option(
        "--max_drop",
        type=float,
        metavar="SHARE",
        help="the top-1 accuracy, from 0 to 1, that the file may lose; None means 0.02 beyond the "
        "noise of the images at hand",
    )
    parser.option(
        "--min_accuracy",
        type=float,
        metavar="SHARE",
        help="the least top-1 accuracy of the file, from 0 to 1; None means better than chance",
    )
    parser.option(
        "--check_accuracy",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="fail if the file is right no more often than by chance (an untrained network, or "
        "images normalised in another way), loses accuracy, or in int8 gives other classes",
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"must be numbers separated by commas, got {text!r}")
    return numbers


def _positive_numbers(text: str) -> tuple[float, ...]:
    numbers = _numbers(text)
    if min(numbers) <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text!r}")
    return numbers


def _factor(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    try:
        factor = float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise argparse.ArgumentTypeError(
            f"must be a number above 0 or a fraction such as 1/255, got {text!r}"
        )
    return factor


@contextlib.contextmanager
def _steps_told(stream: TextIO) -> Iterator[None]:
    """Has the steps of an export told where they begin, a line each, and what is to be heeded."""
    logger, handler = logging.getLogger("export"), logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("recu: %(message)s ..."))
    level = logger.level

    def show(message, category, *_):
        # Of images that are left out, say; Keras has others for its programmers.
        if category is UserWarning:
            print(f"recu: warning: {message}", file=stream)

    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def run(options: argparse.Namespace) -> None:
    """Exports and prints the report; tells of its steps on standard error."""
    import export
    from export.loading import sources

    chosen = export.Options(
        batch_size=options.batch_size,
        uint8=options.input == "uint8",
        softmax=options.softmax,
        int8=options.int8,
        target=options.target,
        strict=options.strict,
        max_drop=options.max_drop,
        min_accuracy=options.min_accuracy,
        check_accuracy=options.check_accuracy,
    )
    with quiet_standard_error() as stream, _steps_told(stream):
        source = sources.load(options.path, options.which)
        source = sources.described(source, options.mean, options.std, options.scale, options.labels)
        report = export.export_bundle(
            source, options.out, chosen, options.dataset, options.data_path, options.images
        )
    print(report)
