"""Checkpoints: saving them, and loading the newest one that is not damaged.

A checkpoint is what a training needs to resume, in one file that is either complete or absent:

```
RUN/checkpoints/EEEEEE-SSSSSSSS.npz   the epoch, and the step within it, that come next
```

It holds arrays only: NumPy reads them without executing anything, and the archive's checksum of
every array reveals damage. The two newest are kept.
"""

import json
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recu_tf.runs.atomic_write import write_aside

__all__ = ["Checkpoint", "load_newest", "save"]

NUMBER_KEPT = 2
PROGRESS = "progress"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two steps.

    Attributes:
        epoch: the epoch of the next step, counted from 0.
        step: the next step within that epoch, counted from 0.
        arrays: everything that steps change, by name: weights, optimizer slots, metrics.
        progress: other values that resuming needs, of JSON's types.
    """

    epoch: int
    step: int
    arrays: dict[str, np.ndarray]
    progress: dict = field(default_factory=dict)


def save(directory: Path, checkpoint: Checkpoint) -> Path:
    """Saves a checkpoint in one step and removes old ones.

    Args:
        directory: of the checkpoints; created if missing.
        checkpoint: to save.

    Returns:
        The path of the file.

    Raises:
        OSError: it cannot be written, for example because the disk is full. Earlier checkpoints
            are unchanged.
    """
    path = directory / f"{checkpoint.epoch:06d}-{checkpoint.step:08d}.npz"
    progress = {"epoch": checkpoint.epoch, "step": checkpoint.step, **checkpoint.progress}
    text = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    arrays = {**checkpoint.arrays, PROGRESS: text}
    directory.mkdir(exist_ok=True)
    write_aside(path, lambda aside: _write(aside, arrays))
    for old in [*_list_files(directory)[:-NUMBER_KEPT], *directory.glob(".*.partial.npz")]:
        old.unlink(missing_ok=True)
    return path


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes what `np.load` reads. `np.savez` leaves the archive open if the disk is full.

    It is then closed when it is collected, which fails once more and prints a traceback.
    """
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def _list_files(directory: Path) -> list[Path]:
    """The files of checkpoints, oldest first, without the partial files of killed processes."""
    return sorted(path for path in directory.glob("[0-9]*.npz") if path.is_file())


def _load(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    progress = json.loads(arrays.pop(PROGRESS).tobytes())
    return Checkpoint(progress.pop("epoch"), progress.pop("step"), arrays, progress)


def load_newest(directory: Path) -> Checkpoint | None:
    """Loads the newest checkpoint that is not damaged.

    Damaged checkpoints that are newer are skipped with a warning, and removed so that they do not
    count as the newest again.

    Args:
        directory: of the checkpoints; it may be missing.

    Returns:
        The checkpoint; None if there is none at all.

    Raises:
        ValueError: there are checkpoints, and every one is damaged. They are kept.
    """
    paths = _list_files(directory)[::-1]
    for index, path in enumerate(paths):
        try:
            checkpoint = _load(path)
        except Exception as error:  # zip, zlib, NumPy and JSON each raise their own
            warnings.warn(f"{path} is damaged and was skipped: {error}", stacklevel=2)
            continue
        for damaged in paths[:index]:
            damaged.unlink(missing_ok=True)  # another worker may already have removed it
        return checkpoint
    if paths:
        raise ValueError(f"Every checkpoint in {directory} is damaged.")
    return None
