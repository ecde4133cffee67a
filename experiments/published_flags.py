"""Options of the published command lines that mean something else here, or nothing."""

import argparse
import re
from pathlib import Path

from experiments.declarations import NETWORK
from experiments.options import Parser

__all__ = ["add_arguments", "check", "notes"]

TEACHER = (
    f"a full-precision network: {NETWORK}, a name of keras.applications such as ResNet50, or "
    "zoo/NAME of larq-zoo"
)


def add_arguments(parser: Parser) -> None:
    """Adds them to `recu train`, so that published command lines are understood."""
    parser.option(
        "--use_dali",
        action="store_true",
        help="changes nothing, which a line states: tf.data always decodes and crops in one step",
    )
    parser.option(
        "--type",
        metavar="TENSOR",
        help="changes nothing, which a line states: --precision and --gpus replace it",
    )


def check(options: argparse.Namespace) -> None:
    """Refuses published options that cannot do here what they did, and states the replacement.

    Args:
        options: of `recu train`.

    Raises:
        ValueError: a --teacher that names a network of torchvision.
    """
    teacher = getattr(options, "teacher", None)
    # All names of torchvision begin with a small letter, all of keras.applications with a capital.
    is_published = teacher is not None and re.fullmatch(r"[a-z]\w*", teacher)
    if is_published and not Path(teacher).exists():
        raise ValueError(
            f"--teacher must be {TEACHER}, got {teacher!r}: there is no such file or run, and "
            "networks of torchvision are not downloaded here."
        )


def notes(options: argparse.Namespace) -> list[str]:
    """A line for each option that was given and changes nothing.

    Args:
        options: of `recu train`.
    """
    lines = []
    if options.type is not None:
        lines.append(f"--type {options.type} changes nothing: --precision and --gpus replace it.")
    if options.use_dali:
        lines.append("--use_dali changes nothing: tf.data always decodes and crops in one step.")
    return lines
