"""The maps of a report: a metric of the layers over the epochs, and classes by classes."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from recu_tf import figures

__all__ = ["draw_heatmap", "lay_out_confusion"]

ROW, EPOCHS = 14, 360  # height of a row and width of the map, in CSS pixels


def draw_heatmap(
    title: str,
    rows: Sequence[str],
    values: np.ndarray,
    *,
    first: int,
    low: float,
    high: float,
    power: float = 1,
) -> Markup:
    """Draws a number of each layer over the epochs, as colours.

    Args:
        title: of the chart, with its unit.
        rows: names of the layers.
        values: (layers, epochs), NaN where nothing is known.
        first: the first epoch.
        low: the number of the darkest colour.
        high: the number of the brightest colour.
        power: of the way from low to high, to show small numbers among few large ones.
    """
    names = [figures.shorten(row, 30) for row in rows]
    left, above, below = 12 + 7 * max(map(len, names)), 28, 24
    width, height = left + EPOCHS + 12, above + ROW * len(rows) + below
    count = values.shape[1]
    with figures.use_figure_style():
        figure = Figure(figsize=(width / figures.INCH, height / figures.INCH))
        axes = figure.add_axes(
            (left / width, below / height, EPOCHS / width, ROW * len(rows) / height)
        )
        norm = PowerNorm(power, low, high if high > low else low + 1, clip=True)
        axes.imshow(
            np.ma.masked_invalid(values),
            cmap="viridis",
            norm=norm,
            interpolation="none",  # a pixel for each number
            aspect="auto",
            extent=(first - 0.5, first + count - 0.5, len(rows) - 0.5, -0.5),
        )
        axes.set_yticks(range(len(rows)), names)
        figures.draw_ticks(axes.xaxis, 6, integer=True)
        figure.text(8 / width, 1 - 18 / height, title, fontsize=9.75, weight="bold")
        figure.text(
            (left - 6) / width,
            (below - 16) / height,
            "epoch",
            horizontalalignment="right",
            color=figures.FAINT,
        )
        tooltips = {}
        for number, (row, line) in enumerate(zip(rows, values, strict=True)):
            known = line[np.isfinite(line)]
            gid = f"row-{number + 1}"
            corner = (first - 0.5, number - 0.5)
            axes.add_patch(Rectangle(corner, count, 1, alpha=0, linewidth=0, gid=gid))
            ends = f": from {known[0]:.4g} to {known[-1]:.4g}" if known.size else ""
            tooltips[gid] = f"{row}{ends}"
        drawing = figures.to_svg(
            figure,
            title=title,
            description=f"Layers from top to bottom; colours from {low:.4g} to {high:.4g}",
            css_class="heatmap",
            tooltips=tooltips,
        )
    chart = {
        "kind": "map",
        "title": title,
        "axis": "epoch",
        "x": list(range(first, first + count)),
        "pad": 0.5,
        "rows": list(rows),
        "names": list(rows),
        "left": left,
        "values": [figures.round_numbers(line) for line in values],
    }
    return figures.with_data(drawing, chart)


def lay_out_confusion(names: Sequence[str], counts: np.ndarray) -> dict[str, object]:
    """How often images of one class were taken for another, for a table of coloured cells.

    Args:
        names: of the classes.
        counts: (classes, classes): images of the row's class that were taken for the column's.

    Returns:
        `names`, shortened, and `rows` of cells: `count`, `is_right`, `depth` of the colour from 0
        to 1, and `tooltip`.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    largest = float((shares * (1 - np.eye(len(names)))).max()) or 1.0
    rows = [
        [
            {
                "count": int(counts[row, column]),
                "is_right": row == column,
                "depth": round(float(share if row == column else 0.9 * share / largest), 3),
                "tooltip": f"{names[row]} taken for {names[column]}: "
                f"{counts[row, column]} images, {share:.1%}",
            }
            for column, share in enumerate(shares[row])
        ]
        for row in range(len(names))
    ]
    return {"names": [figures.shorten(name, 14) for name in names], "rows": rows}
