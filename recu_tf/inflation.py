"""Files of anyone's that hold more than they are long: refused before anything is unpacked."""

import os
import zipfile

import h5py

__all__ = ["TooLarge", "check_h5_file", "check_member"]

# Trained float32 weights hardly shrink, and those of one bit 32 times; a network that was never
# trained, with many zeros, more. What is small once unpacked does no harm.
MOST_TIMES = 100
HARMLESS = 2**28


class TooLarge(ValueError):
    """A file would become far longer than it is."""


def _check(size: int, stored: int, path: str | os.PathLike) -> None:
    if size > max(HARMLESS, MOST_TIMES * stored):
        raise TooLarge(
            f"{path} was refused and not unpacked: its {stored:,} bytes would become {size:,}, "
            f"more than {MOST_TIMES} times as many."
        )


def check_member(archive: zipfile.ZipFile, name: str, path: str | os.PathLike) -> None:
    """Refuses a member of a zip archive that is far longer than the archive.

    The length that the archive declares is checked: `zipfile` unpacks no more than that.

    Args:
        archive: that is open.
        name: of the member.
        path: of the archive.

    Raises:
        TooLarge: it would take more than 256 MiB and than 100 times the archive.
        KeyError: there is no such member.
    """
    _check(archive.getinfo(name).file_size, os.path.getsize(path), path)


def check_h5_file(path: str | os.PathLike, stored: int, name: str | os.PathLike) -> None:
    """Refuses an HDF5 file whose data sets are far longer than the file.

    HDF5 can compress, and leave out what is all alike: a few bytes declare any number of zeros.

    Args:
        path: of the HDF5 file.
        stored: length of what it came in, in bytes.
        name: of that, for the error.

    Raises:
        TooLarge: they would take more than 256 MiB and than 100 times `stored`.
        OSError: it is no HDF5 file.
    """
    sizes = []

    def add(_, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.nbytes)

    with h5py.File(path, "r") as file:
        file.visititems(add)
    _check(sum(sizes), stored, name)
