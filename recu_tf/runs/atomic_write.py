"""Replacing a file so that it is always complete: the new one, or the old one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["name_unwritable_file", "write_aside", "write_json"]


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside `path`, then moves it to `path` in one step.

    Args:
        path: the file to create or replace.
        write: called with the path to write to, which has the same suffix as `path`.

    Raises:
        OSError: the file cannot be written, for example because the disk is full. An earlier file
            at `path` is unchanged.
    """
    aside = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with name_unwritable_file(path):
            write(aside)
            # On disk before it gets its name: a power failure leaves the old file or the new one.
            with open(aside, "rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes a value of JSON's types to a file, in one step.

    Raises:
        OSError: see `write_aside`.
    """
    text = json.dumps(value, indent=2) + "\n"
    write_aside(path, lambda aside: aside.write_text(text, "utf-8"))


@contextmanager
def name_unwritable_file(path: Path) -> Iterator[None]:
    """Makes an OSError raised inside the context name the file that could not be written.

    Args:
        path: the file, as the error names it.

    Raises:
        OSError: something inside raised one.
    """
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror or error}") from error
