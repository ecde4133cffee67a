"""The pictures of the benchmarks: the tables of a part side by side."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator

from experiments.benchmarks.measured_tables import Table, table_from_json
from experiments.docs.figure_style import ALIVE, DEAD, INK, OTHER, SOFT, draw

__all__ = ["draw_pictures", "draw_shares"]

COLOURS = (ALIVE, DEAD, OTHER, INK, SOFT, "#1565c0")
MARKERS = "osD^vP"
# Numbers as they are, and not as powers of ten.
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
ROW_HEIGHT, FRAME_HEIGHT = 0.27, 1.2


def draw_dots(axes: Axes, table: Table, *, names: bool = True) -> None:
    """A line for each row and a dot for each side, on a logarithmic axis."""
    count = len(table.rows)
    for number, side in enumerate(table.sides):
        points = [
            (row.medians[side], count - place)
            for place, row in enumerate(table.rows)
            if side in row.medians
        ]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            linestyle="",
            marker=MARKERS[number],
            markersize=6 if side == table.ours else 4.5,
            color=COLOURS[number],
            label=side,
            zorder=3 if side == table.ours else 2,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(PLAIN)
    labels = [row.name for row in table.rows] if names else []
    axes.set_yticks(range(count, 0, -1), labels or [""] * count)
    axes.set_ylim(0.4, count + 0.6)
    axes.set(title=table.title, xlabel=table.unit)


def draw_shares(axes: Axes, table: Table, *, names: bool = True) -> None:
    """Bars of each side as a multiple of ours, with the ratios of the table."""
    count, sides = len(table.rows), table.sides
    for number, side in enumerate(sides):
        points = [
            (1 if side == table.ours else row.ratios[side][1], place)
            for place, row in enumerate(table.rows)
            if side == table.ours or side in row.ratios
        ]
        height = 0.8 / len(sides)
        places = [count - place + 0.4 - (number + 0.5) * height for _, place in points]
        bars = axes.barh(places, [x for x, _ in points], height, color=COLOURS[number], label=side)
        axes.bar_label(bars, fmt="{:.2f}", padding=2, fontsize=7)
    axes.set_yticks(range(count, 0, -1), [row.name if names else "" for row in table.rows])
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    axes.set(title=table.title, xlabel=f"times that of {table.ours}")


def draw_curve(axes: Axes, table: Table, *, names: bool = True) -> None:
    """A line for each side over the numbers that the names of the rows begin with."""
    points = [int(row.name.split()[0]) for row in table.rows]
    for number, side in enumerate(table.sides):
        values = [row.medians.get(side, math.nan) for row in table.rows]
        axes.plot(points, values, color=COLOURS[number], marker=MARKERS[number], label=side)
    axes.set(xscale="log", yscale="log", title=table.title, ylabel=table.unit)
    axes.set_xticks(points, [f"{point}" for point in points])
    axes.set_xlabel(table.rows[0].name.partition(" ")[2])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(PLAIN)
    axes.minorticks_off()


# From the part to the tables of each of its pictures, and how they are drawn.
PICTURES: dict[str, tuple[tuple[str, ...], Callable]] = {
    "training": (("training_time", "training_memory"), draw_shares),
    "growth": (("growth_batch", "growth_width", "growth_image_size"), draw_curve),
    "inference": (("latency_1", "latency_2", "throughput"), draw_dots),
}


def draw_pictures(parts: Mapping[str, Mapping], folder: Path) -> dict[str, str]:
    """Draws a picture of each part that has one.

    Args:
        parts: see `experiments.benchmarks.results_page.write_page`.
        folder: where the SVG files are written.

    Returns:
        The names of the files, by part.

    Raises:
        OSError: a file cannot be written.
    """
    files = {}
    for name, (keys, fill) in PICTURES.items():
        tables = [
            table_from_json(table)
            for table in parts.get(name, {}).get("tables", ())
            if table["key"] in keys
        ]
        if not tables:
            continue
        files[name] = f"benchmarks-{name}.svg"

        def fill_panels(panels: list[Axes], tables=tables, fill=fill) -> None:
            for number, (panel, table) in enumerate(zip(panels, tables, strict=True)):
                fill(panel, table, names=number == 0)
            sides = panels[0].get_legend_handles_labels()
            panels[0].figure.legend(*sides, loc="outside lower center", ncols=len(sides[1]))

        rows = max(
            len(table.rows) * (len(table.sides) / 2.5 if fill is draw_shares else 1)
            for table in tables
        )
        height = 3.2 if fill is draw_curve else FRAME_HEIGHT + ROW_HEIGHT * rows
        draw(folder / files[name], len(tables), fill_panels, height=height)
    return files
