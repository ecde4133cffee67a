"""Writes the folder of an export, which holds all that is needed to use the network elsewhere.

```
model.tflite  the network, for Larq Compute Engine, and with the delegate for LiteRT
labels.txt    a class per line, in the order of the outputs; numbers where they have no names
model.json    a description of the network, for programs, see `export.bundle.description`
report.html   what was verified and measured, for people
golden.bin    a few inputs and the outputs of the file for them, see `export.proof.golden`; absent
              where they would be too large
predict.py    a small program that runs the network, see `export/runtime/predict.py`
```
"""

import hashlib
import json
import os
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from export.bundle.contents import Bundle
from export.bundle.description import describe, is_description
from export.bundle.page import render_report
from export.proof import golden
from export.runtime import predict

__all__ = ["FILES", "Bundle", "check_free", "restore", "write"]

FILES = ("model.tflite", "labels.txt", "model.json", "report.html", "golden.bin", "predict.py")
SCRIPT = Path(predict.__file__)


def check_free(directory: str | os.PathLike) -> Path:
    """Refuses a path that a bundle cannot have.

    Args:
        directory: of the bundle. An earlier bundle may be there, with nothing else in it.

    Returns:
        The path, absolute and without links.

    Raises:
        FileExistsError: there is something else at the path, or in the earlier bundle.
        OSError: no folder can be made there.
    """
    path = Path(directory).resolve()
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path} is a file; the folder of an export needs another name.")
    names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if names and not is_description(path / "model.json"):
        raise FileExistsError(f"{path} exists and is not an earlier export; give another name.")
    others = sorted(names - set(FILES))
    if others:
        raise FileExistsError(
            f"{path} holds more than an earlier export, which would be lost: {', '.join(others)}."
        )
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir():
        raise NotADirectoryError(f"{path} cannot be made: {parent} is a file.")
    try:
        # Permissions alone do not suffice: nobody can make a folder in /proc.
        os.rmdir(tempfile.mkdtemp(prefix=".", dir=parent))
    except OSError as error:
        raise PermissionError(
            f"{path} cannot be made: {parent} cannot be written to ({error.strerror})."
        ) from error
    return path


def write(directory: str | os.PathLike, bundle: Bundle) -> None:
    """Writes a bundle, whole or not at all.

    It is written aside and on disk before it gets its name. An earlier bundle is renamed just
    before that, and deleted after it. Where a process is killed in between, `restore` undoes it.

    Args:
        directory: of the bundle, see `check_free`.
        bundle: its contents.

    Raises:
        FileExistsError: see `check_free`.
        OSError: it cannot be written, the disk is full. What was there still is.
    """
    path = check_free(directory)
    files = _encode_files(bundle)
    aside, earlier = _name_beside(path, "partial"), _name_beside(path, "earlier")
    try:
        restore(path)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, content in files.items():
            with open(aside / name, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(aside)
        if path.exists():
            os.rename(path, earlier)
        os.rename(aside, path)
        _sync(path.parent)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        restore(path)


def restore(directory: Path) -> None:
    """Puts an earlier bundle back that `write` renamed and could not replace.

    Nothing happens where there is none. An earlier bundle that has been replaced is deleted.

    Args:
        directory: of the bundle; it holds a bundle, is empty or does not exist.

    Raises:
        OSError: the earlier bundle cannot be renamed.
    """
    earlier = _name_beside(directory, "earlier")
    if is_description(directory / "model.json"):
        # A bundle gets its name only when it is whole.
        shutil.rmtree(earlier, ignore_errors=True)
    elif earlier.exists():
        os.rename(earlier, directory)


def _name_beside(directory: Path, state: str) -> Path:
    return directory.with_name(f".{directory.name}.{state}")


def _sync(directory: Path) -> None:
    # The names in it; those of its files are written with it.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode_files(bundle: Bundle) -> dict[str, bytes]:
    """The contents of each file; `model.json`, which describes the others, comes last."""
    created = datetime.now(timezone.utc).replace(microsecond=0)
    lines = "".join(f"{label}\n" for label in bundle.labels)
    files = {
        "model.tflite": bundle.flatbuffer,
        "labels.txt": lines.encode("utf-8", "replace"),
        "report.html": render_report(bundle, created).encode("utf-8", "replace"),
        "predict.py": SCRIPT.read_bytes(),
    }
    if bundle.golden is not None:
        files[golden.FILE] = golden.encode(bundle.golden)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    description = describe(bundle, created, hashes)
    return {**files, "model.json": (json.dumps(description, indent=2) + "\n").encode()}
