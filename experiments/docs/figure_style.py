"""The look of the figures of the documentation, and their files."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recu_tf.runs.atomic_write import write_aside

__all__ = ["ALIVE", "DEAD", "INK", "OTHER", "SOFT", "draw"]

ALIVE, DEAD, OTHER, INK, SOFT = "#00796b", "#d84315", "#5e35b1", "#222222", "#9e9e9e"
STYLE = {
    # The same bytes whenever the same version of matplotlib draws the same numbers.
    "svg.hashsalt": "recu_tf",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(
    path: Path, count: int, fill: Callable[[list[Axes]], None], *, height: float = 2.9
) -> None:
    """Draws a row of panels as an SVG file.

    Args:
        path: of the file to write.
        count: of panels.
        fill: draws into the panels.
        height: of the figure in inches; its width is 9.

    Raises:
        OSError: the file cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, height), facecolor="white", layout="constrained")
        panels = figure.subplots(1, count, squeeze=False)[0]
        fill(list(panels))
        write_aside(
            path, lambda aside: figure.savefig(aside, format="svg", metadata={"Date": None})
        )
