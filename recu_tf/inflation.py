"""Refuses files that would decompress to far more than their size, before anything is unpacked."""

import os
import zipfile

import h5py

__all__ = ["TooLarge", "check_h5_file", "check_member"]

# Trained float32 weights hardly compress, 1-bit weights by a factor of 32, and untrained networks,
# with many zeros, by more. Whatever the factor, a small result does no harm.
MAX_FACTOR = 100
ALWAYS_ALLOWED = 2**28  # bytes


class TooLarge(ValueError):
    """A file would decompress to far more than its size."""


def _check(size: int, stored: int, path: str | os.PathLike) -> None:
    if size > max(ALWAYS_ALLOWED, MAX_FACTOR * stored):
        raise TooLarge(
            f"{path} was refused and not unpacked: its {stored:,} bytes would become {size:,}, "
            f"more than {MAX_FACTOR} times as many."
        )


def check_member(archive: zipfile.ZipFile, name: str, path: str | os.PathLike) -> None:
    """Refuses a member of a zip archive that is far larger than the archive.

    Checks the size that the archive declares: `zipfile` unpacks no more than that.

    Args:
        archive: an open archive.
        name: of the member.
        path: of the archive.

    Raises:
        TooLarge: the member would take more than 256 MiB and more than 100 times the archive.
        KeyError: the archive has no such member.
    """
    _check(archive.getinfo(name).file_size, os.path.getsize(path), path)


def check_h5_file(path: str | os.PathLike, stored: int, name: str | os.PathLike) -> None:
    """Refuses an HDF5 file whose data sets are far larger than the file.

    HDF5 can compress, and can omit constant data: a few bytes can declare any number of zeros.

    Args:
        path: of the HDF5 file.
        stored: size in bytes of the file that contained it, or its own.
        name: of the containing file, or its own path, for the error.

    Raises:
        TooLarge: the data sets would take more than 256 MiB and more than 100 times `stored`.
        OSError: the file is not HDF5.
    """
    sizes = []

    def add(_, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.nbytes)

    with h5py.File(path, "r") as file:
        file.visititems(add)
    _check(sum(sizes), stored, name)
