"""The charts of a report: lines over the epochs, and histograms of weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.report import figures
from experiments.report.overlays import alternate, find_layers
from experiments.report.run_data import LayerWeights

__all__ = ["Series", "draw_histogram", "draw_lines", "shorten", "widen"]

SAME = 0.2  # of two lines' common epochs: lines that meet in more of them hide each other
TRAINING_DASHES = (4, 3)  # dash and gap in points, as in the style of the page
LIMIT_DASHES = (3, 2)
MOST_MARKERS = 40  # beyond that they would hide the line
SIGNIFICANT = 4  # digits of the numbers in words


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        label: what it shows.
        run: number of its run from 1, which decides the colour.
        points: x and y; a y that is None leaves a gap.
        dashed: whether it is drawn dashed and thin.
    """

    label: str
    run: int
    points: Sequence[tuple[float, float | None]]
    dashed: bool = False

    @property
    def known(self) -> dict[float, float]:
        """From x to y, where there is one."""
        return {x: y for x, y in self.points if y is not None}


def widen(
    low: float, high: float, *, least: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """A range that is at least as wide as a change that matters, so that noise looks small.

    Args:
        low: the smallest number.
        high: the largest number.
        least: how wide the range has to be.
        bounds: what the quantity cannot leave; the range is not widened beyond.
    """
    if high - low >= least:
        return low, high
    bottom = max((low + high - least) / 2, min(low, bounds[0]))
    top = min(bottom + least, max(high, bounds[1]))
    return min(low, top - least), top


def shorten(text: str, length: int) -> str:
    """Cuts a name to a number of characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _choose_limits(
    values: Sequence[float], *, zero: bool, least: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """The ends of an axis for some values."""
    low, high = min(values), max(values)
    low, high = widen(min(low, 0) if zero else low, high, least=least, bounds=bounds)
    if high - low < 1e-9 * max(1, abs(high)):
        return low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    margin = 0.04 * (high - low)
    return low - (0 if zero and low == 0 else margin), high + margin


def draw_lines(
    title: str,
    unit: str,
    series: Sequence[Series],
    *,
    zero: bool = False,
    least: float = 0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Markup:
    """Draws lines over the epochs. Lines that lie on each other alternate their colours.

    Args:
        title: of the chart.
        unit: of the vertical axis, with what it counts.
        series: the lines; at least one has a point.
        zero: whether the vertical axis begins at 0.
        least: what the vertical axis spans at least, see `widen`.
        bounds: of the vertical axis, see `widen`.
    """
    points = [point for line in series for point in line.known.items()]
    epochs = {x for x, _ in points}
    with figures.use_figure_style():
        figure = Figure(figsize=(4.375, 2.46))
        axes = figure.add_axes((0.167, 0.17, 0.804, 0.70))
        axes.set_ylim(
            *_choose_limits([y for _, y in points], zero=zero, least=least, bounds=bounds)
        )
        padding = 0.15 if len(epochs) > 1 else 1
        axes.set_xlim(min(epochs) - padding, max(epochs) + padding)
        axes.set_title(title, loc="left")
        axes.set_title(unit, loc="right", fontsize="medium", color=figures.FAINT, weight="normal")
        axes.set_xlabel("epoch", loc="right", labelpad=1)
        axes.grid(axis="y")
        figures.draw_ticks(axes.yaxis, 6)
        figures.draw_ticks(axes.xaxis, 6, integer=True)
        tooltips = _draw_series(axes, series)
        heading = f"{title}{f' ({unit})' if unit else ''} over {len(epochs)} epochs"
        description = "; ".join(
            f"{line.label}: from {values[0]:.{SIGNIFICANT}g} to {values[-1]:.{SIGNIFICANT}g}"
            for line in series
            if (values := list(line.known.values()))
        )
        return figures.to_svg(
            figure, title=heading, description=description, css_class="chart", tooltips=tooltips
        )


def _draw_series(axes, series: Sequence[Series]) -> dict[str, list[str]]:
    """Draws the lines with their markers; returns the tooltips of the markers."""
    # Two lines hide each other where they are half a CSS pixel apart, of an axis of 166.
    bottom, top = axes.get_ylim()
    height = (top - bottom) / 166
    layers = {}
    for dashed in (False, True):
        numbers = [number for number, line in enumerate(series) if line.dashed == dashed]
        lines = [{x: y / height for x, y in series[number].known.items()} for number in numbers]
        layers.update(zip(numbers, find_layers(lines, SAME), strict=True))
    tooltips = {}
    for number, line in enumerate(series):
        layer, count = layers[number]
        has_markers = len(line.points) <= MOST_MARKERS
        (drawn,) = axes.plot(
            [x for x, _ in line.points],
            [math.nan if y is None else y for _, y in line.points],
            color=figures.choose_run_colour(line.run),
            linestyle=alternate(layer, count, *(TRAINING_DASHES if line.dashed else (8,))),
            linewidth=1 if line.dashed else 1.35,
            marker="o" if has_markers else "",
            # Markers that lie on each other form rings.
            markersize=3 + 2.25 * (count - 1 - layer),
            markeredgewidth=0,
            zorder=2 + layer,
            clip_on=False,
            gid=f"series-{number + 1}",
        )
        if has_markers:
            tooltips[drawn.get_gid()] = [
                f"{line.label}, epoch {x:g}: {y:.{SIGNIFICANT}g}" for x, y in line.known.items()
            ]
    return tooltips


def draw_histogram(title: str, edges: np.ndarray, layers: Mapping[int, LayerWeights]) -> Markup:
    """Draws the distribution of a layer's standardised weights, and the thresholds.

    Args:
        title: name of the layer.
        edges: of the bins, (bins + 1,), ascending.
        layers: that layer of one or several runs, by the number of the run from 1.
    """
    highest = max(float(layer.shares.max()) for layer in layers.values()) or 1.0
    lines = [dict(enumerate(layer.shares / highest * 88)) for layer in layers.values()]
    levels = find_layers(lines, 1 - 1e-9)
    with figures.use_figure_style():
        figure = Figure(figsize=(2.71, 1.5))
        axes = figure.add_axes((0.131, 0.14, 0.838, 0.63))
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 105 * highest)
        axes.grid(axis="y")
        figures.draw_ticks(axes.xaxis, 4)
        figures.draw_ticks(axes.yaxis, 4)
        figure.text(0.131, 0.915, shorten(title, 30), fontsize=9.75, weight="bold")
        for place, ((run, layer), (level, count)) in enumerate(
            zip(layers.items(), levels, strict=True)
        ):
            colour = figures.choose_run_colour(run)
            style = {"color": colour, "zorder": 2 + level, "clip_on": False}
            heights = 100 * layer.shares
            if len(layers) == 1:
                axes.stairs(heights, edges, fill=True, color=colour, alpha=0.18, linewidth=0)
            axes.stairs(
                heights,
                edges,
                linestyle=alternate(level, count, 8),
                linewidth=1.35,
                gid=f"weights-{run}",
                **style,
            )
            if layer.limit < edges[-1]:
                for limit in (-layer.limit, layer.limit):
                    dashes = alternate(level, count, *LIMIT_DASHES)
                    axes.plot([limit] * 2, axes.get_ylim(), linestyle=dashes, linewidth=1, **style)
            if len(layers) == 1:
                figure.text(0.131, 0.82, _describe(layer))
            elif place < 2:  # more would not fit
                x, alignment = ((0.131, "left"), (0.969, "right"))[place]
                text = f"dead {layer.dead:.1%}"
                figure.text(x, 0.82, text, horizontalalignment=alignment, color=colour)
        return figures.to_svg(
            figure,
            title=f"Weights of {title}",
            description="; ".join(map(_describe, layers.values())),
            css_class="histogram",
            tooltips={},
        )


def _describe(layer: LayerWeights) -> str:
    return f"Q = {layer.limit:.2f}, dead {layer.dead:.1%}"
