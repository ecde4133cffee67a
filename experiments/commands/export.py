"""`recu export`: a folder with a verified TFLite file."""

import argparse
import contextlib
import logging
import math
import warnings
from collections.abc import Iterator
from typing import TextIO

from experiments.declarations import DATASETS, NAMED_NETWORK, NETWORK
from experiments.options import Parser, positive_integer
from experiments.quiet import quiet_standard_error

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "export"
HELP = "write a folder with a verified TFLite file for Larq Compute Engine"
DESCRIPTION = (
    "Converts a trained network for Larq Compute Engine, verifies that the file computes what the "
    "network computes, and writes a folder: model.tflite, labels.txt, model.json, golden.bin, "
    "report.html and predict.py, which needs neither TensorFlow nor this project. If the file "
    "fails the verification, nothing is written, an earlier folder stays and the exit code is 1."
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu export`."""
    parser.network(
        "path",
        help=f"{NETWORK}, or {NAMED_NETWORK} unless --weights is given",
    )
    parser.which()
    parser.checkpoint_model()
    parser.weights("the network is untrained and has ReCU")
    parser.option(
        "--out",
        metavar="DIR",
        help="folder to write",
        if_omitted="RUN/export, NAME_export beside a file, or NAME_export here for a name",
    )
    parser.option(
        "--dataset",
        choices=DATASETS,
        help="data set whose images the file is verified on, with its usual normalisation unless "
        "--mean, --std, --scale or a Rescaling layer of the network replaces it",
        if_omitted="that of the run, checkpoint or --pretrained, or else random images; a name is "
        "built for cifar10, or for imagenet if it is of larq-zoo or has no other variant",
    )
    parser.option(
        "--data_path",
        metavar="DIR",
        help="where the data set lies: a data directory of tensorflow-datasets, or a folder of "
        "images; digits come with scikit-learn",
        if_omitted="where the training found it",
    )
    parser.option(
        "--images",
        metavar="DIR",
        help="folder of images to verify the file on instead, resized as predict.py does: with a "
        "folder for each class, or all in one folder without labels; --int8 is calibrated on them "
        "too unless a data set is known",
    )
    parser.option(
        "--labels",
        metavar="FILE",
        help="text file with a class name per line in the order of the outputs",
        if_omitted="the names of the run, or else of the folders in --images, in alphabetical "
        "order",
    )
    parser.option(
        "--mean",
        metavar="M,M,M",
        type=_numbers,
        help="the network takes (pixel * scale - mean) / std of pixels from 0 to 255: the mean of "
        "each channel, or one number for all",
        if_omitted="0 if --std or --scale is given",
    )
    parser.option(
        "--std",
        metavar="S,S,S",
        type=_positive_numbers,
        help="the std in the same formula",
        if_omitted="1 if --mean or --scale is given",
    )
    parser.option(
        "--scale",
        metavar="X",
        type=_factor,
        help="the scale in the same formula, a number or a fraction such as 1/127.5; --scale 1 "
        "alone means pixels as they are",
        if_omitted="1/255 if --mean or --std is given",
    )
    parser.option(
        "--batch_size", "-b", type=positive_integer, default=1, help="images per call of the file"
    )
    parser.option(
        "--input",
        choices=("float32", "uint8"),
        default="float32",
        help="input of the file: normalised images, or pixels from 0 to 255, which the file "
        "normalises itself",
    )
    parser.option(
        "--softmax",
        action="store_true",
        help="add a softmax, so that the file returns probabilities instead of logits",
    )
    parser.option(
        "--int8",
        action="store_true",
        help="quantize the layers that are not binary to int8, calibrated on training images",
    )
    parser.option(
        "--target",
        choices=("arm", "xcore"),
        default="arm",
        help="processor that the file is converted for; arm files run on x86 too",
    )
    parser.option(
        "--strict",
        action=argparse.BooleanOptionalAction,
        help="fail if a layer that should be binary is not, or if the engine's default backend "
        "refuses the file",
        if_omitted="on for networks trained or imported by recu, off for others",
    )
    parser.option(
        "--max_drop",
        type=float,
        metavar="SHARE",
        help="largest loss of top-1 accuracy that is allowed, from 0 to 1",
        if_omitted="0.02 beyond the sampling noise of the images",
    )
    parser.option(
        "--min_accuracy",
        type=float,
        metavar="SHARE",
        help="lowest top-1 accuracy of the file that is allowed, from 0 to 1",
        if_omitted="better than chance",
    )
    parser.option(
        "--check_accuracy",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="fail if the accuracy of the file is no better than chance (an untrained network, or "
        "wrongly normalised images) or lower than the network's, or if an int8 file predicts other "
        "classes",
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
def _print_steps(stream: TextIO) -> Iterator[None]:
    """Prints a line when a step of the export begins, and the warnings for the user."""
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
    """Exports and prints the report; its steps appear on standard error."""
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
    with quiet_standard_error() as stream, _print_steps(stream):
        source = sources.load(
            options.path,
            options.which,
            model=options.model,
            dataset=options.dataset,
            weights=options.weights,
        )
        source = sources.describe(
            source,
            mean=options.mean,
            std=options.std,
            scale=options.scale,
            labels=options.labels,
        )
        report = export.export_bundle(
            source,
            options.out,
            options=chosen,
            dataset=options.dataset,
            data_path=options.data_path,
            images_path=options.images,
        )
    print(report)
