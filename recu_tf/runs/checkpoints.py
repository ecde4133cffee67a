"""What a training needs to go on, in one file that is either whole or not there.

```
RUN/checkpoints/EEEEEE-SSSSSSSS.npz   epoch, and step within it, that come next
```

Arrays only: NumPy reads them without running anything, and the archive's sums of every array show
damage. The two newest are kept.
"""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recu_tf.runs.atomic_write import write_aside

__all__ = ["Checkpoint", "load_newest", "save"]

KEPT = 2
PROGRESS = "progress"


@dataclass(frozen=True)
class Checkpoint:
    """A training between two steps.

    Attributes:
        epoch: that comes next, or goes on, counted from 0.
        step: of that epoch that comes next, counted from 0.
        arrays: everything that changes, by name: weights, optimizer slots, metrics.
        progress: what else is needed, of JSON's types.
    """

    epoch: int
    step: int
    arrays: dict[str, np.ndarray]
    progress: dict = field(default_factory=dict)


def save(directory: Path, checkpoint: Checkpoint) -> Path:
    """Writes a checkpoint beside its place, puts it there in one step and removes old ones.

    Args:
        directory: of the checkpoints; made if it is not there.
        checkpoint: to write.

    Returns:
        The path of the file.

    Raises:
        OSError: it cannot be written, the disk is full. Those that were there still are.
    """
    path = directory / f"{checkpoint.epoch:06d}-{checkpoint.step:08d}.npz"
    progress = {"epoch": checkpoint.epoch, "step": checkpoint.step, **checkpoint.progress}
    text = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    arrays = {**checkpoint.arrays, PROGRESS: text}
    directory.mkdir(exist_ok=True)
    write_aside(path, lambda aside: np.savez(aside, **arrays))
    for old in [*_whole(directory)[:-KEPT], *directory.glob(".*.partial.npz")]:
        old.unlink(missing_ok=True)
    return path


def _whole(directory: Path) -> list[Path]:
    """The files of checkpoints, oldest first; not what a killed process left half-written."""
    return sorted(path for path in directory.glob("[0-9]*.npz") if path.is_file())


def _read(path: Path) -> Checkpoint:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    progress = json.loads(arrays.pop(PROGRESS).tobytes())
    return Checkpoint(progress.pop("epoch"), progress.pop("step"), arrays, progress)


def load_newest(directory: Path) -> Checkpoint | None:
    """Reads the newest checkpoint that is whole.

    A damaged one is left out with a warning, and removed so that it does not pass for the newest
    again.

    Args:
        directory: of the checkpoints; it may be missing.

    Returns:
        The checkpoint; None where there is none at all.

    Raises:
        ValueError: there are some, and every one is damaged.
    """
    paths = _whole(directory)[::-1]
    for path in paths:
        try:
            checkpoint = _read(path)
        except Exception as error:  # zip, zlib, NumPy and JSON each have their own
            warnings.warn(f"{path} is damaged and left out: {error}", stacklevel=2)
            continue
        for damaged in paths[: paths.index(path)]:
            damaged.unlink(missing_ok=True)  # another worker may have been faster
        return checkpoint
    if paths:
        raise ValueError(f"Every checkpoint in {directory} is damaged.")
    return None
