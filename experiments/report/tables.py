"""The tables of a report: what came of the runs, their networks, and how they were made."""

import json
from collections.abc import Sequence
from html import escape

import numpy as np

from experiments.report.run_data import Contents
from recu_tf.durations import format_duration
from recu_tf.html import table

__all__ = ["NOTHING", "confused_pairs", "memory_tables", "settings_table", "summary"]

NOTHING = "\N{EN DASH}"  # in the place of a number
MOST_PAIRS = 20  # of confused classes
MEMORY = "Memory (KiB)"


def summary(runs: Sequence[Contents]) -> str:
    """HTML of what each run came to, and of what is missing."""
    rows = []
    for one in runs:
        settings = one.run.config["settings"]
        settings = settings if isinstance(settings, dict) else {}
        accuracies = [(y, x) for x, y in one.values("val_accuracy") if y is not None]
        seconds = [y for _, y in one.values("seconds") if y is not None]
        best = max(accuracies, key=lambda pair: (pair[0], -pair[1]), default=None)
        rows.append(
            [
                one.name,
                str(settings.get("model", "?")),
                str(settings.get("dataset", "?")),
                f"{len(one.epochs)} of {settings.get('epochs', '?')}" if one.epochs else NOTHING,
                f"{best[0]:.2%} (epoch {best[1]})" if best else NOTHING,
                f"{accuracies[-1][0]:.2%}" if accuracies else NOTHING,
                format_duration(float(np.median(seconds))) if seconds else NOTHING,
                format_duration(sum(seconds)) if seconds else NOTHING,
            ]
        )
    header = ("Run", "Network", "Data set", "Epochs", "Best top-1", "Last top-1")
    header = (*header, "Epoch (median)", "Training")
    html = table("Accuracies are those on the test images", header, rows)
    notes = [
        f"<h3>{escape(one.name)}</h3><ul>"
        + "".join(f"<li>{escape(note)}</li>" for note in one.notes)
        + "</ul>"
        for one in runs
        if one.notes
    ]
    return html + (f'<div class="card missing">{"".join(notes)}</div>' if notes else "")


def memory_tables(runs: Sequence[Contents]) -> str:
    """What Larq sums up, side by side, and each different network's table."""
    shown = [one for one in runs if one.memory]
    if not shown:
        return ""
    names = dict.fromkeys(name for one in shown for name in one.memory.totals)
    rows = [[name, *(one.memory.totals.get(name, NOTHING) for one in shown)] for name in names]
    parts = [
        "<p>As Larq counts, without the temperatures of binary layers, which no exported network "
        "has.</p>",
        table("Whole networks", ["", *(one.name for one in shown)], rows),
    ]
    networks: dict[str, list[Contents]] = {}
    for one in shown:
        networks.setdefault(repr(one.memory), []).append(one)
    for same in networks.values():
        memory, caption = same[0].memory, f"Layers of {', '.join(one.name for one in same)}"
        rows = [
            [
                str(name),
                NOTHING if bits is None else str(bits),
                shape,
                *(
                    NOTHING if entry is None else f"{entry:,.2f}" if at == column else f"{entry:,}"
                    for at, entry in enumerate(counts)
                ),
            ]
            for column in [memory.header.index(MEMORY) - 3]
            for name, bits, shape, *counts in memory.rows
        ]
        kinds = [""] * (len(rows) - 1) + ["total"]
        is_open = " open" if len(networks) == 1 else ""
        parts.append(
            f"<details{is_open}><summary>{escape(caption)}</summary>"
            f"{table(f'{caption}; those without weights are left out', memory.header, rows, kinds)}"
            "</details>"
        )
    return "".join(parts)


def confused_pairs(one: Contents) -> str:
    """The mistakes that a run makes most often."""
    counts, names = one.confusion, one.class_names
    wrong = counts * (1 - np.eye(len(names), dtype=counts.dtype))
    largest = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    rows = []
    for row, column in zip(*np.unravel_index(largest, wrong.shape), strict=True):
        if wrong[row, column]:
            share = wrong[row, column] / counts[row].sum()
            rows.append([names[row], names[column], f"{wrong[row, column]:,}", f"{share:.1%}"])
    header = ("True class", "Taken for", "Images", "Share of the class")
    return table(f"{one.name}: the classes most often confused", header, rows, text=True)


def _flat(value, name: str = "") -> dict[str, str]:
    """Nested settings as names with dots, and what is written for each."""
    if isinstance(value, dict) and value:
        parts = [_flat(inner, f"{name}.{key}" if name else key) for key, inner in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {name.removeprefix("settings."): text}


def settings_table(runs: Sequence[Contents]) -> str:
    """All of `config.json` but the names of the classes, with what differs marked."""
    columns = []
    for one in runs:
        config = {key: value for key, value in one.run.config.items() if key != "class_names"}
        columns.append(_flat(config))
    names = sorted(
        dict.fromkeys(name for column in columns for name in column), key=lambda name: "." in name
    )
    rows, kinds = [], []
    for name in names:
        values = [column.get(name, NOTHING) for column in columns]
        differs = len(set(values)) > 1
        rows.append([f"{name} ≠" if differs else name, *values])
        kinds.append("differs" if differs else "")
    caption = "From config.json" + ("; ≠ marks what differs" if len(runs) > 1 else "")
    return table(caption, ["Setting", *(one.name for one in runs)], rows, kinds, text=True)
