"""A page that shows one run, or several side by side: `recu report`.

The page is one HTML file with everything in it: it needs no network, without JavaScript its charts
are drawings, and it shows what there is of a run that still trains, was killed, was imported or has
no diagnostics.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import recu_tf
from experiments.declarations import MOST_REPORTED
from experiments.report import run_data, tables
from experiments.report.sections import make_sections
from experiments.report.seed_groups import Group, find_groups, merge
from recu_tf.html import page
from recu_tf.runs.atomic_write import write_aside

__all__ = ["report"]


def _check_writable(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"`--out` must be the name of an .html file, got {str(path)!r}.")
    if path.is_dir():
        raise ValueError(f"`--out` must be a file, but {path} is a directory.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`--out`: the directory {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent} cannot be written to; `--out` names another place.")


def _refuse_twice(paths: Sequence[Path]) -> None:
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ValueError(f"`RUN` must name each run once, got {path} twice.")


def _choose_title(contents: Sequence[run_data.Contents]) -> str:
    if len(contents) > 1:
        return f"{len(contents)} runs"
    seeds = len(contents[0].members)
    return f"{seeds} seeds of {contents[0].name}" if seeds else f"Run {contents[0].name}"


def _choose_names(groups: Sequence[Group]) -> list[str]:
    """The names of the directories, or where two are the same their whole paths."""
    names = [str(Path(group.path.resolve().name, group.stage)) for group in groups]
    if len(set(names)) < len(names):
        names = [str(group.path / group.stage) for group in groups]
    return names


def _read(groups: Sequence[Group], data_path: str | None) -> list[run_data.Contents]:
    found = []
    for group, name in zip(groups, _choose_names(groups), strict=True):
        if group.runs[0].path == group.path:
            found.append(run_data.read(group.runs[0], name, data_path))
        else:
            seeds = [run.path.relative_to(group.path).parts[0] for run in group.runs]
            members = [
                run_data.read(run, seed, data_path)
                for run, seed in zip(group.runs, seeds, strict=True)
            ]
            found.append(merge(members, group.path, name))
    return found


def report(
    directories: Sequence[str | os.PathLike],
    out: str | os.PathLike | None = None,
    data_path: str | None = None,
) -> Path:
    """Writes a page about one or several runs, whole or not at all.

    Args:
        directories: of the runs, or of the runs of `recu train --seeds`, which become one line; 1
            to 8 lines.
        out: the .html file to write; `report.html` in the first run's directory if None.
        data_path: where the data set lies, if not where the training found it.

    Returns:
        The file.

    Raises:
        FileNotFoundError, ValueError: a directory holds no run, or runs that differ in more than
            their seeds, or a run twice, or `out` cannot be a file.
        OSError: the page cannot be written.
    """
    groups = [group for directory in directories for group in find_groups(Path(directory))]
    if not 1 <= len(groups) <= MOST_REPORTED:
        raise ValueError(f"`RUN` must be 1 to {MOST_REPORTED} lines of runs, got {len(groups)}.")
    _refuse_twice([run.path for group in groups for run in group.runs])
    path = groups[0].path / "report.html" if out is None else Path(out)
    _check_writable(path)
    contents = _read(groups, data_path)
    lead = {
        "table": tables.make_summary(contents),
        "noted": [run for run in contents if run.notes],
        "paths": list(dict.fromkeys(group.path for group in groups)),
    }
    text = page(
        "experiments.report",
        title=_choose_title(contents),
        lead_template="summary.html.j2",
        lead_values=lead,
        sections=make_sections(contents),
        footer=f"Written by recu_tf {recu_tf.__version__}",
    )
    write_aside(path, lambda aside: aside.write_text(text, "utf-8"))
    return path
