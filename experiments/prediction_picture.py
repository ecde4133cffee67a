"""A picture of what networks make of images: each beside its likeliest classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from recu_tf.runs.atomic_write import write_aside

__all__ = ["Predictions", "draw_predictions"]

ROWS, SHOWN = 5, 3  # images in a column, classes beside an image
RIGHT, WRONG, OTHER, FAINT = "#2a7f3f", "#c0392b", "#b5b5b5", "#555555"
# Inches: an image with its classes, the gap beside it, and what is above and below all of them.
CELL_HEIGHT, GAP, TOP, BOTTOM = 0.8, 0.35, 0.75, 0.35
SIDE, BAR, NUMBER, CHARACTER = 0.56, 0.75, 0.4, 0.072
LEGEND = "Below each image: its class. Green: the right class. Red: the answer, where it is wrong."
STYLE = {"font.family": "DejaVu Sans", "font.size": 8}


@dataclass(frozen=True)
class Predictions:
    """What a network makes of some images.

    Attributes:
        title: of the network.
        subtitle: how accurate it is, and on which images.
        images: uint8 (count, height, width, 3).
        labels: int (count,), the right classes.
        class_names: in the order of the outputs.
        probabilities: (count, classes).
    """

    title: str
    subtitle: str
    images: np.ndarray
    labels: np.ndarray
    class_names: Sequence[str]
    probabilities: np.ndarray


def draw_predictions(panels: Sequence[Predictions], path: Path) -> None:
    """Draws the images of some networks, each with its three likeliest classes, as a PNG file.

    The right class is named below the image. A bar is green if its class is the right one, red if
    it is the likeliest and wrong.

    Args:
        panels: a network with its images each, side by side.
        path: of the file to write.

    Raises:
        OSError: it cannot be written.
    """
    # The gap behind the last column is that of the picture's edge.
    columns = [-(-len(panel.images) // ROWS) for panel in panels]
    cells = [_measure_cell(panel) for panel in panels]
    width = GAP + sum(cell * count for cell, count in zip(cells, columns, strict=True))
    height = TOP + CELL_HEIGHT * ROWS + BOTTOM
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), facecolor="white")
        figure.text(GAP / width, 0.12 / height, LEGEND, color=FAINT)
        left = GAP
        for panel, cell, count in zip(panels, cells, columns, strict=True):
            figure.text(left / width, 1 - 0.25 / height, panel.title, fontsize=10, weight="bold")
            figure.text(left / width, 1 - 0.48 / height, panel.subtitle, color=FAINT)
            for number in range(len(panel.images)):
                column, row = divmod(number, ROWS)
                x, y = left + cell * column, height - TOP - CELL_HEIGHT * (row + 1)
                _draw_image(figure, panel, number, x / width, y / height, width, height)
            left += cell * count
        write_aside(path, lambda aside: figure.savefig(aside, dpi=120))


def _measure_names(panel: Predictions) -> float:
    """Width of the names of the classes, in inches."""
    return 0.2 + CHARACTER * max(map(len, panel.class_names))


def _measure_cell(panel: Predictions) -> float:
    """Width of an image with its classes and the gap beside it, in inches."""
    return SIDE + _measure_names(panel) + BAR + NUMBER + GAP


def _draw_image(
    figure: Figure,
    panel: Predictions,
    number: int,
    x: float,
    y: float,
    width: float,
    height: float,
) -> None:
    """Draws an image and its classes into the cell whose lower left corner is at (x, y)."""
    label, probabilities = int(panel.labels[number]), panel.probabilities[number]
    likeliest = np.argsort(-probabilities, kind="stable")[:SHOWN]
    picture = figure.add_axes((x, y + 0.2 / height, SIDE / width, SIDE / height))
    picture.imshow(panel.images[number], interpolation="nearest")
    picture.set_axis_off()
    is_right = likeliest[0] == label
    figure.text(
        x + SIDE / 2 / width,
        y + 0.07 / height,
        panel.class_names[label],
        horizontalalignment="center",
        color=RIGHT if is_right else WRONG,
        fontsize=7,
    )
    left = x + (SIDE + _measure_names(panel)) / width
    bars = figure.add_axes((left, y + 0.2 / height, BAR / width, SIDE / height))
    colours = [
        RIGHT if shown == label else WRONG if rank == 0 else OTHER
        for rank, shown in enumerate(likeliest)
    ]
    bars.barh(range(len(likeliest)), probabilities[likeliest], color=colours, height=0.7)
    bars.set_xlim(0, 1)
    bars.set_ylim(len(likeliest) - 0.5, -0.5)
    bars.set_yticks(range(len(likeliest)), [panel.class_names[shown] for shown in likeliest])
    bars.set_xticks([])
    bars.tick_params(length=0, pad=3)
    bars.spines[:].set_visible(False)
    for rank, shown in enumerate(likeliest):
        bars.text(probabilities[shown] + 0.04, rank, f"{probabilities[shown]:.0%}", va="center")
