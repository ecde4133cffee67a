"""The lock that keeps two processes from training in one run directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["LOCK", "locked"]

LOCK = ".lock"


def _opened(path: Path) -> int:
    """A descriptor of the file, locked; it and its directory are made where they are missing."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"The run directory {path.parent} cannot be made: {error.strerror}"
            ) from error
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise OSError(f"{path.parent} is being trained by another process.") from None
        # A process that failed in between has removed the file: what is locked then is no lock.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps other processes from training in a directory, until the end or that of the process.

    Where no run has come of it in the end, the lock and the directories made for it are removed.

    Args:
        directory: of the run; made where it is missing.

    Raises:
        OSError: another process trains it, or the directory cannot be made.
    """
    made = [path for path in (directory, *directory.parents) if not path.exists()]
    file = _opened(directory / LOCK)
    try:
        yield
    finally:
        if not (directory / "config.json").exists():
            (directory / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # something else lies there by now
                for path in made:
                    path.rmdir()
        os.close(file)
