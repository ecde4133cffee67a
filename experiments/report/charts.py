"""The charts of a report: lines over the epochs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.report.overlays import alternate, find_layers
from recu_tf import figures

__all__ = ["CSS_PIXELS", "Series", "draw_lines", "widen"]

SAME = 0.5  # of the way that two lines have in common: lines that meet on more hide each other
TRAINING_DASHES = (4, 3)  # dash and gap in points, as in the style of the page
MOST_MARKERS = 40  # beyond that they would hide the line
SIGNIFICANT = 4  # digits of the numbers in words
CSS_PIXELS = figures.INCH / 72  # in a point
HEIGHT = 166  # of the axis of lines in CSS pixels; lines half of one apart hide each other


@dataclass(frozen=True)
class Series:
    """A line of a chart.

    Attributes:
        label: what it shows.
        run: number of its run from 1, which decides the colour.
        points: x and y; a y that is None leaves a gap.
        dashed: whether it is drawn dashed and thin.
        deviations: from x to the standard deviation of what y is the mean of, drawn as a band;
            empty for numbers that are no means.
    """

    label: str
    run: int
    points: Sequence[tuple[float, float | None]]
    dashed: bool = False
    deviations: Mapping[float, float] = field(default_factory=dict)

    @property
    def known(self) -> dict[float, float]:
        """From x to y, where there is one."""
        return {x: y for x, y in self.points if y is not None}

    @property
    def ends(self) -> list[float]:
        """What has to fit on the axis: the numbers, and the edges of the band around them."""
        spread = self.deviations
        known = self.known.items()
        return [y + sign * spread.get(x, 0) for x, y in known for sign in (-1, 1)]


class _Style(NamedTuple):
    """How a line is drawn among those that lie on it; lengths in points."""

    layer: int
    count: int
    width: float
    dashes: tuple[float, ...]
    offset: float


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
    epochs = {x for line in series for x in line.known}
    ends = [y for line in series for y in line.ends]
    with figures.use_figure_style():
        figure = Figure(figsize=(4.375, 2.46))
        axes = figure.add_axes((0.167, 0.17, 0.804, 0.70))
        limits = _choose_limits(ends, zero=zero, least=least, bounds=bounds)
        axes.set_ylim(*limits)
        padding = 0.15 if len(epochs) > 1 else 1
        axes.set_xlim(min(epochs) - padding, max(epochs) + padding)
        axes.set_title(title, loc="left")
        axes.set_title(unit, loc="right", fontsize="medium", color=figures.FAINT, weight="normal")
        axes.set_xlabel("epoch", loc="right", labelpad=1)
        axes.grid(axis="y")
        figures.draw_ticks(axes.yaxis, 6)
        figures.draw_ticks(axes.xaxis, 6, integer=True)
        styles = _choose_styles(series, (limits[1] - limits[0]) / HEIGHT)
        tooltips = _draw_series(axes, series, styles)
        heading = f"{title}{f' ({unit})' if unit else ''} over {len(epochs)} epochs"
        description = "; ".join(
            f"{line.label}: from {values[0]:.{SIGNIFICANT}g} to {values[-1]:.{SIGNIFICANT}g}"
            for line in series
            if (values := list(line.known.values()))
        )
        drawing = figures.to_svg(
            figure, title=heading, description=description, css_class="lines", tooltips=tooltips
        )
    x = sorted(epochs)
    chart = {
        "kind": "lines",
        "title": title,
        "unit": unit,
        "axis": "epoch",
        "x": x,
        "pad": padding,
        "range": limits,
        "zero": zero,
        "series": [
            {
                "label": line.label,
                "colour": f"run{line.run}",
                "dashed": line.dashed,
                "width": style.width * CSS_PIXELS,
                "dash": [length * CSS_PIXELS for length in style.dashes],
                "offset": style.offset * CSS_PIXELS,
                "layer": style.layer,
                "y": figures.round_numbers(line.known.get(epoch) for epoch in x),
                **_list_deviations(line, x),
            }
            for line, style in zip(series, styles, strict=True)
        ],
    }
    return figures.with_data(drawing, chart)


def _list_deviations(line: Series, epochs: Sequence[float]) -> dict[str, list[float | None]]:
    if not line.deviations:
        return {}
    return {"deviation": figures.round_numbers(line.deviations.get(epoch) for epoch in epochs)}


def _choose_styles(series: Sequence[Series], pixel: float) -> list[_Style]:
    """How lines are drawn so that those that lie on each other are seen.

    Args:
        series: the lines.
        pixel: height of a CSS pixel in the unit of the lines.
    """
    styles = {}
    for dashed in (False, True):
        numbers = [number for number, line in enumerate(series) if line.dashed == dashed]
        lines = [{x: y / pixel for x, y in series[number].known.items()} for number in numbers]
        for number, (layer, count) in zip(numbers, find_layers(lines, SAME), strict=True):
            style = alternate(layer, count, *(TRAINING_DASHES if dashed else (8,)))
            offset, dashes = (0, ()) if isinstance(style, str) else style
            styles[number] = _Style(layer, count, 1 if dashed else 1.35, dashes, offset)
    return [styles[number] for number in range(len(series))]


def _draw_series(axes, series: Sequence[Series], styles: Sequence[_Style]) -> dict[str, list[str]]:
    """Draws the lines with their markers; returns the tooltips of the markers."""
    tooltips = {}
    for number, (line, style) in enumerate(zip(series, styles, strict=True)):
        colour = figures.choose_run_colour(line.run)
        if line.deviations:
            known = [(x, y, line.deviations.get(x, 0)) for x, y in line.known.items()]
            axes.fill_between(
                [x for x, _, _ in known],
                [y - deviation for _, y, deviation in known],
                [y + deviation for _, y, deviation in known],
                color=colour,
                alpha=0.18,
                linewidth=0,
            )
        has_markers = len(line.points) <= MOST_MARKERS
        (drawn,) = axes.plot(
            [x for x, _ in line.points],
            [math.nan if y is None else y for _, y in line.points],
            color=colour,
            linestyle=(style.offset, style.dashes) if style.dashes else "solid",
            linewidth=style.width,
            marker="o" if has_markers else "",
            # Markers that lie on each other form rings.
            markersize=3 + 2.25 * (style.count - 1 - style.layer),
            markeredgewidth=0,
            zorder=2 + style.layer,
            clip_on=False,
            gid=f"series-{number + 1}",
        )
        if has_markers:
            tooltips[drawn.get_gid()] = [
                f"{line.label}, epoch {x:g}: {_format_mean(y, line.deviations.get(x))}"
                for x, y in line.known.items()
            ]
    return tooltips


def _format_mean(value: float, deviation: float | None) -> str:
    spread = "" if deviation is None else f" ± {deviation:.{SIGNIFICANT}g}"
    return f"{value:.{SIGNIFICANT}g}{spread}"
