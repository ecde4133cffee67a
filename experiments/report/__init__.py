"""A page that shows one run, or several side by side: `recu report`.

The page is one HTML file with everything in it: it needs no network and no JavaScript, and shows
what there is of a run that still trains, was killed, was imported or has no diagnostics.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import recu_tf
from experiments.report import run_data, tables
from experiments.report.sections import make_sections
from recu_tf import runs
from recu_tf.html import page
from recu_tf.runs.atomic_write import write_aside

__all__ = ["report"]

MOST_RUNS = 8  # colours that can be distinguished


def _check_writable(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"`--out` must be the name of an .html file, got {str(path)!r}.")
    if path.is_dir():
        raise ValueError(f"`--out` must be a file, but {path} is a directory.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`--out`: the directory {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent} cannot be written to; `--out` names another place.")


def report(
    directories: Sequence[str | os.PathLike],
    out: str | os.PathLike | None = None,
    data_path: str | None = None,
) -> Path:
    """Writes a page about one or several runs, whole or not at all.

    Args:
        directories: of the runs, 1 to 8.
        out: the .html file to write; `report.html` in the first run's directory if None.
        data_path: where the data set lies, if not where the training found it.

    Returns:
        The file.

    Raises:
        FileNotFoundError, ValueError: a directory holds no run, or `out` cannot be a file.
        OSError: the page cannot be written.
    """
    if not 1 <= len(directories) <= MOST_RUNS:
        raise ValueError(f"`RUN` must be 1 to {MOST_RUNS} run directories, got {len(directories)}.")
    opened = [runs.Run.open(directory) for directory in directories]
    path = opened[0].path / "report.html" if out is None else Path(out)
    _check_writable(path)
    contents = run_data.read(opened, data_path)
    lead = {
        "table": tables.make_summary(contents),
        "noted": [run for run in contents if run.notes],
        "paths": [run.run.path for run in contents],
    }
    text = page(
        "experiments.report",
        title=f"Run {contents[0].name}" if len(contents) == 1 else f"{len(contents)} runs",
        lead_template="summary.html.j2",
        lead_values=lead,
        sections=make_sections(contents),
        footer=f"Written by recu_tf {recu_tf.__version__}",
    )
    write_aside(path, lambda aside: aside.write_text(text, "utf-8"))
    return path
