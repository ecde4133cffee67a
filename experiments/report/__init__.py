"""A page that shows one run, or several side by side: `recu report`.

The page is one HTML file with everything in it: it needs no network and no JavaScript, and shows
what there is of a run that still trains, was killed, was imported or has no diagnostics.
"""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

import recu_tf
from experiments.report import run_data as report_contents
from experiments.report import sections as report_sections
from experiments.report import tables as report_tables
from recu_tf import runs
from recu_tf.html import page
from recu_tf.runs.atomic_write import write_aside

__all__ = ["report"]

MOST_RUNS = 8  # colours that can be told apart


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
    contents = report_contents.read(opened, data_path)
    title = f"Run {contents[0].name}" if len(contents) == 1 else f"{len(contents)} runs"
    lead = report_tables.summary(contents)
    paths = ", ".join(str(one.run.path) for one in contents)
    lead += f'<p class="faint">{escape(paths)}</p>'
    text = page(
        title, lead, report_sections.sections(contents), f"Written by recu_tf {recu_tf.__version__}"
    )
    write_aside(path, lambda aside: aside.write_text(text, "utf-8"))
    return path
