"""`metrics.jsonl` in a run directory: one line of JSON for each epoch."""

import json
import warnings
from pathlib import Path

from recu_tf import json_text
from recu_tf.runs.atomic_write import name_unwritable_file, write_aside

__all__ = ["append_line", "read_lines", "remove_lines_from"]


def append_line(path: Path, values: dict) -> None:
    """Appends the values of an epoch.

    Raises:
        OSError: the file cannot be written.
    """
    with name_unwritable_file(path), open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def read_lines(path: Path) -> list[dict]:
    """Reads the values of every epoch; an empty list if there is no such file.

    A line that does not hold the values of an epoch, such as a killed process or a power failure
    leaves behind, is skipped with a warning.
    """
    lines = []
    texts = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    for number, text in enumerate(texts, start=1):
        try:
            line = json_text.parse(text)
            is_epoch = isinstance(line["epoch"], int)
        except (ValueError, TypeError, KeyError):
            is_epoch = False
        if is_epoch:
            lines.append(line)
        else:
            warnings.warn(f"{path}, line {number}, is damaged and was skipped.", stacklevel=3)
    return lines


def remove_lines_from(path: Path, epoch: int) -> None:
    """Removes the lines of an epoch and of all later ones, and damaged lines.

    Args:
        path: of the file; it may be missing.
        epoch: counted from 0.
    """
    if path.exists():
        kept = [line for line in read_lines(path) if line["epoch"] < epoch]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_aside(path, lambda aside: aside.write_text(text, "utf-8"))
