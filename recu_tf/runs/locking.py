"""The lock that keeps two processes from training in one run directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recu_tf.runs.directories import create_directory, has_run

__all__ = ["LOCK", "lock_directory"]

LOCK = ".lock"


def _open_and_lock(path: Path) -> int:
    """Opens and locks a file, created with its directory where missing; returns its descriptor."""
    while True:
        create_directory(path.parent, path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise OSError(f"{path.parent} is being trained by another process.") from None
        # A process that failed in the meantime may have removed the file: locking a file that has
        # lost its name locks nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Keeps other processes from training in a directory until the context or the process ends.

    If the directory holds no run at the end, the lock file is removed, and so are the directories
    that were created for it.

    Args:
        directory: the run directory; created if missing.

    Raises:
        OSError: another process is training in it, or it cannot be created.
    """
    created = [path for path in (directory, *directory.parents) if not path.exists()]
    file = _open_and_lock(directory / LOCK)
    try:
        yield
    finally:
        if not has_run(directory):
            (directory / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # something else has been put there since
                for path in created:
                    path.rmdir()
        os.close(file)
