"""Silence for what TensorFlow's C++ says on standard error whatever its log level."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

__all__ = ["quiet_standard_error"]


@contextlib.contextmanager
def quiet_standard_error() -> Iterator[io.TextIOBase]:
    """Sends the process's standard error nowhere; Python's exceptions still pass.

    Yields:
        A stream to where it went before, for lines of one's own.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        with open(kept, "w", 1, "utf-8", "backslashreplace", closefd=False) as stream:
            yield stream
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
