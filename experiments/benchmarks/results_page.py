"""The page of the benchmarks: tables, pictures, where ours is worse and why, and the machine."""

from collections.abc import Mapping

from tabulate import tabulate

from experiments.benchmarks.loss_reasons import describe_losses
from experiments.benchmarks.measured_tables import Row, Table, table_from_json
from experiments.benchmarks.parts import PARTS
from recu_tf.durations import format_duration

__all__ = ["write_page"]

INTRODUCTION = """# Benchmarks

`make bench` measured this on one machine and wrote this page
([how it measures, and how to run it](../benchmarks/README.md)); all numbers are in
[benchmarks.json](benchmarks.json). What is compared took turns in one run. A number is the median
of the turns, ± half the distance between their quartiles. In brackets: how many times better the
first column is, the median over the turns; below 1 it is worse. **Bold** is where it is worse in
three quarters of the turns or more, *italic* where it is worse in half of them or more, so that the
turns vary more than the two differ; the lines below the table say why, where that is known.
"""
NOTHING = "\N{EN DASH}"
# Of the processors; more running programs than that before the measurement make it unreliable.
QUIET = 0.25


def format_quantity(value: float) -> str:
    """A number with about three digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.{2 if abs(value) >= 0.995 else 3}f}"


def format_ratio(value: float) -> str:
    """A ratio with two digits or more behind the point where it is small."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _format_spread(spread: float, median: float) -> str:
    text = format_quantity(median)
    decimals = len(text.partition(".")[2])
    return f"{spread:,.{decimals}f}"


def _make_cell(row: Row, side: str) -> str:
    if side not in row.medians:
        return NOTHING
    text = format_quantity(row.medians[side])
    if row.spreads.get(side):
        text += f" ± {_format_spread(row.spreads[side], row.medians[side])}"
    if side in row.ratios:
        text += f" ({format_ratio(row.ratios[side][1])})"
    if side in row.undecided:
        return f"*{text}*"
    return f"**{text}**" if side in row.losses else text


def _describe_table(table: Table) -> str:
    sides = table.sides
    rows = [[row.name, *(_make_cell(row, side) for side in sides)] for row in table.rows]
    written = tabulate(rows, [table.unit, *sides], tablefmt="github", disable_numparse=True)
    failed = [f"{side}: {reason}." for row in table.rows for side, reason in row.missing.items()]
    notes = [f"- {line}" for line in (*describe_losses(table), *dict.fromkeys(failed))]
    parts = [f"### {table.title}", table.note, written, "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _describe_part(name: str, part: Mapping, pictures: Mapping[str, str]) -> list[str]:
    lines = [f"## {PARTS[name].title}"]
    machine = part["machine"]
    if machine["load"] > QUIET * machine["cores"]:
        lines.append(
            f"Other programs ran as well (load {machine['load']:.1f} on {machine['cores']} cores "
            "before the measurement): trust the ratios, not the times."
        )
    for key, file in pictures.items():
        if key == name:
            lines.append(f"![{PARTS[name].title}]({file})")
    lines += [_describe_table(table_from_json(table)) for table in part["tables"]]
    if part["left_out"]:
        items = [f"- {what}: {reason}" for what, reason in part["left_out"].items()]
        lines.append("Left out:\n\n" + "\n".join(items))
    return lines


def _describe_machines(parts: Mapping[str, Mapping]) -> str:
    rows = []
    for name, part in parts.items():
        machine = part["machine"]
        rows.append(
            [
                name,
                f"{machine['cpu']}, {machine['cores']} cores",
                f"{machine['load']:.1f}",
                machine["date"],
                part["commit"] or NOTHING,
                format_duration(part["seconds"]),
            ]
        )
    header = ("part", "processor", "load before", "date", "commit", "took")
    machines = tabulate(rows, header, tablefmt="github", disable_numparse=True)
    versions = {
        ", ".join(f"{package} {number}" for package, number in part["machine"]["versions"].items())
        for part in parts.values()
    }
    return "\n\n".join(["## Machine and versions", machines, *sorted(versions)])


def write_page(parts: Mapping[str, Mapping], pictures: Mapping[str, str]) -> str:
    """The page in Markdown.

    Args:
        parts: from the name of a part to what `experiments.benchmarks.parts.measure_part` gave.
        pictures: from the name of a part to the name of its picture beside the page.
    """
    ordered = {name: parts[name] for name in PARTS if name in parts}
    sections = [INTRODUCTION.strip()]
    for name, part in ordered.items():
        sections += _describe_part(name, part, pictures)
    return "\n\n".join([*sections, _describe_machines(ordered)]) + "\n"
