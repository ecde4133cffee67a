"""Suppresses what TensorFlow's C++ code prints on standard error at any log level."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

__all__ = ["quiet_standard_error"]


@contextlib.contextmanager
def quiet_standard_error() -> Iterator[io.TextIOBase]:
    """Discards what the process writes to standard error; exceptions are still raised.

    Yields:
        A stream to the original standard error, for lines that the user should see.
    """
    sys.stderr.flush()
    original = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        with open(original, "w", 1, "utf-8", "backslashreplace", closefd=False) as stream:
            yield stream
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
