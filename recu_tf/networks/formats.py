"""The formats of trained networks, and which of them a path has."""

import os
from pathlib import Path
from typing import Literal

from recu_tf import pretrained
from recu_tf.choices import NETWORK_NAMES
from recu_tf.runs.directories import CONFIG

__all__ = ["Format", "find_format"]

Format = Literal["run", "keras", "h5", "saved_model", "checkpoint", "pretrained", "name"]

# A file in a directory that shows its format, and the suffixes of files.
MARKERS: dict[str, Format] = {CONFIG: "run", "saved_model.pb": "saved_model"}
SUFFIXES: dict[str, Format] = {
    ".keras": "keras",
    ".h5": "h5",
    ".pth.tar": "checkpoint",
    ".pth": "checkpoint",
}


def is_pretrained(path: Path) -> bool:
    """Whether a path is `pretrained/` and the name of a network that comes with this library."""
    name = path.as_posix()
    return name.startswith(pretrained.PREFIX) and (
        name.removeprefix(pretrained.PREFIX) in pretrained.list_all()
    )


def find_format(path: str | os.PathLike) -> Format | None:
    """The format of a network, by its name and by what its directory contains.

    Args:
        path: `pretrained/` before one of `recu_tf.pretrained.NAMES`, which is that network even
            where a directory has this path (its absolute path is the directory); a file or
            directory, which is not opened; or one of `recu_tf.models.NETWORK_NAMES`, where there
            is neither.

    Returns:
        The format, "name" for the last; None if there is nothing at `path`, or nothing that
        `recu_tf.networks.load` takes.
    """
    path = Path(path)
    if is_pretrained(path):
        return "pretrained"
    if path.is_dir():
        found = (format for marker, format in MARKERS.items() if (path / marker).exists())
    elif path.is_file():
        found = (format for suffix, format in SUFFIXES.items() if path.name.endswith(suffix))
    else:
        return "name" if path.as_posix() in NETWORK_NAMES else None
    return next(found, None)
