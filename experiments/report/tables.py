"""The tables of a report: results of the runs, their networks, and their settings."""

import json
from collections.abc import Sequence

import numpy as np

from experiments.report.run_data import Contents, Memory, parse_number
from recu_tf.durations import format_duration
from recu_tf.html import NOTHING, Table
from recu_tf.training.seed_summary import summarize_values

__all__ = [
    "make_confused_pairs",
    "make_memory_tables",
    "make_memory_totals",
    "make_settings_table",
    "make_summary",
]

MOST_PAIRS = 20  # of confused classes
MEMORY = "Memory (KiB)"


def make_summary(runs: Sequence[Contents]) -> Table:
    """The accuracies and durations of each run."""
    rows = []
    chosen_on = list(dict.fromkeys(run.run.chosen_on for run in runs))
    tests = [_format_mean([_read_test(member) for member in run.members or [run]]) for run in runs]
    has_test = any(test != NOTHING for test in tests)
    for run, test in zip(runs, tests, strict=True):
        settings = run.run.config["settings"]
        settings = settings if isinstance(settings, dict) else {}
        seconds = [value for _, value in run.values("seconds") if value is not None]
        best, last = _summarize_accuracies(run)
        rows.append(
            [
                f"{run.name} ({len(run.members)} seeds)" if run.members else run.name,
                str(settings.get("model", "?")),
                str(settings.get("dataset", "?")),
                f"{len(run.epochs)} of {settings.get('epochs', '?')}" if run.epochs else NOTHING,
                best,
                last,
                *([run.run.chosen_on] if len(chosen_on) > 1 else []),
                *([test] if has_test else []),
                format_duration(float(np.median(seconds))) if seconds else NOTHING,
                format_duration(sum(seconds)) if seconds else NOTHING,
            ]
        )
    header = ("Run", "Network", "Data set", "Epochs", "Best top-1", "Last top-1")
    if len(chosen_on) > 1:
        header = (*header, "On")
    if has_test:
        header = (*header, "Best model on the test images")
    header = (*header, "Epoch (median)", "Training")
    caption = f"Accuracies are those on the {' or '.join(chosen_on)}"
    if any(run.members for run in runs):
        caption += "; of several seeds, mean ± standard deviation, and the time of one"
    return Table(caption, header, rows)


def _summarize_accuracies(run: Contents) -> tuple[str, str]:
    """The best and the last accuracy of a run, or the means of several runs."""
    best, last = [], []
    for member in run.members or [run]:
        known = [
            (value, -epoch) for epoch, value in member.values("val_accuracy") if value is not None
        ]
        best.append(max(known, default=None))
        last.append(known[-1][0] if known else None)
    if run.members or best[0] is None:
        return _format_mean([pair and pair[0] for pair in best]), _format_mean(last)
    return f"{best[0][0]:.2%} (epoch {-best[0][1]})", _format_mean(last)


def _format_mean(values: Sequence[float | None]) -> str:
    """A share, or the mean of several with their standard deviation."""
    if None in values:
        return NOTHING
    summary = summarize_values(values)
    deviation = summary["deviation"]
    return f"{summary['mean']:.2%}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _read_test(run: Contents) -> float | None:
    """The accuracy of the best model on the test images, if held-out images chose it."""
    test = run.run.config.get("test")
    return parse_number(test.get("top_1")) if isinstance(test, dict) else None


def make_memory_totals(runs: Sequence[Contents]) -> Table:
    """The totals of Larq's summary, a column for each run; all of the runs have a `memory`."""
    names = dict.fromkeys(name for run in runs for name in run.memory.totals)
    rows = [[name, *(run.memory.totals.get(name, NOTHING) for run in runs)] for name in names]
    return Table("Whole networks", ["", *(run.name for run in runs)], rows)


def make_memory_tables(runs: Sequence[Contents]) -> dict[str, Table]:
    """A table of the layers of each different network, by its title."""
    networks: dict[str, list[Contents]] = {}
    for run in runs:
        networks.setdefault(repr(run.memory), []).append(run)
    tables = {}
    for alike in networks.values():
        title = f"Layers of {', '.join(run.name for run in alike)}"
        rows = _make_memory_rows(alike[0].memory)
        classes = [""] * (len(rows) - 1) + ["total"]
        caption = f"{title}; those without weights are left out"
        tables[title] = Table(caption, alike[0].memory.header, rows, classes)
    return tables


def _make_memory_rows(memory: Memory) -> list[list[str]]:
    memory_column = memory.header.index(MEMORY)
    rows = []
    for name, bits, shape, *counts in memory.rows:
        entries = [str(name), NOTHING if bits is None else str(bits), shape]
        for column, count in enumerate(counts, len(entries)):
            decimals = 2 if column == memory_column else 0
            entries.append(NOTHING if count is None else f"{count:,.{decimals}f}")
        rows.append(entries)
    return rows


def make_confused_pairs(run: Contents) -> Table:
    """The mistakes that a run makes most often."""
    counts, names = run.confusion, run.class_names
    wrong = counts * (1 - np.eye(len(names), dtype=counts.dtype))
    largest = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    rows = []
    for row, column in zip(*np.unravel_index(largest, wrong.shape), strict=True):
        if wrong[row, column]:
            share = wrong[row, column] / counts[row].sum()
            rows.append([names[row], names[column], f"{wrong[row, column]:,}", f"{share:.1%}"])
    header = ("True class", "Taken for", "Images", "Share of the class")
    return Table(f"{run.name}: the classes most often confused", header, rows, is_text=True)


def _flatten(value: object, name: str = "") -> dict[str, str]:
    """Nested settings as names with dots, and each value as text."""
    if isinstance(value, dict) and value:
        nested = [_flatten(inner, f"{name}.{key}" if name else key) for key, inner in value.items()]
        return {key: text for settings in nested for key, text in settings.items()}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {name.removeprefix("settings."): text}


def make_settings_table(runs: Sequence[Contents]) -> Table:
    """All of `config.json` but the names of the classes, with the differences marked."""
    columns = []
    for run in runs:
        config = {key: value for key, value in run.run.config.items() if key != "class_names"}
        columns.append(_flatten(config))
    names = sorted(
        dict.fromkeys(name for column in columns for name in column), key=lambda name: "." in name
    )
    rows, classes = [], []
    for name in names:
        values = [column.get(name, NOTHING) for column in columns]
        differs = len(set(values)) > 1
        rows.append([f"{name} ≠" if differs else name, *values])
        classes.append("differs" if differs else "")
    caption = "From config.json" + ("; ≠ marks differences" if len(runs) > 1 else "")
    header = ["Setting", *(run.name for run in runs)]
    return Table(caption, header, rows, classes, is_text=True)
