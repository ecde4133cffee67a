"""Files that are either whole or as they were before."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["unwritable", "write_aside"]


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Has `write` fill a file beside `path`, then puts it in place in one step.

    Args:
        path: the file to make or replace.
        write: called with the path to write to, which has the same suffix.

    Raises:
        OSError: it cannot be written, the disk is full. What was at `path` still is.
    """
    aside = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        write(aside)
        # On disk before it gets its name: a power failure leaves the old file or the new one.
        with open(aside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        aside.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OSError:
    """What to raise where a file cannot be written."""
    return OSError(f"{path} could not be written: {error.strerror or error}")
