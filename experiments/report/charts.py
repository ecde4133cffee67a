"""The charts of a report, as SVG that needs nothing from outside.

A handful of functions that return strings: the page then weighs kilobytes, follows the reader's
light or dark colours through CSS, and needs no plotting library. Colours come from the classes
`run1` ... `run8` of the page; every text from outside is escaped here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from experiments.report.overlays import alternating, layered
from experiments.report.run_data import LayerWeights

__all__ = [
    "Series",
    "axis_line",
    "histogram",
    "label",
    "line_chart",
    "shortened",
    "svg",
    "ticks",
    "widened",
]

SAME = 0.2  # of two lines' common epochs: who meets in more of them hides the other
TRAINING_DASHES = (4, 3)  # dash and gap, as in the style of the page
LIMIT_DASHES = (3, 2)


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


def widened(
    low: float, high: float, least: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """A range that is no narrower than what matters of its quantity, so that noise stays small.

    Args:
        low: the smallest number.
        high: the largest one.
        least: how wide the range has to be.
        bounds: what the quantity cannot leave; the range is not widened beyond.
    """
    if high - low >= least:
        return low, high
    bottom = max((low + high - least) / 2, min(low, bounds[0]))
    top = min(bottom + least, max(high, bounds[1]))
    return min(low, top - least), top


def ticks(low: float, high: float, count: int = 5) -> tuple[list[float], list[str]]:
    """Round numbers between two limits, about `count` of them, and how to write them."""
    step = 10 ** math.floor(math.log10((high - low) / count))
    step *= min((1, 2, 5, 10), key=lambda factor: abs((high - low) / (step * factor) - count))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(low / step - 1e-9)
    values = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    # Negative zero would be written -0.
    return values, [f"{value + 0.0 if value else 0.0:.{decimals}f}" for value in values]


def shortened(text: str, length: int) -> str:
    """A name cut to what fits."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def svg(width: float, height: float, title: str, description: str, body: str, kind: str) -> str:
    """An SVG that scales with the page, with a title and a description for who cannot see it."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(f"{title}. {description}")}"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{body}</svg>"
    )


def label(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    """A text at a place; `extra` is for more attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def axis_line(x1: float, y1: float, x2: float, y2: float, kind: str, extra: str = "") -> str:
    """A straight line from one place to another; `extra` is for more attributes."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{extra}/>'


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """The d of a path that begins anew after each gap."""
    steps, pen = [], "M"
    for point in points:
        if point is not None:
            steps.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "M" if point is None else "L"
    return "".join(steps)


def line_chart(
    title: str,
    y_label: str,
    series: Sequence[Series],
    zero: bool = False,
    digits: int = 4,
    least: float = 0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> str:
    """Draws lines over the epochs. Lines that lie on each other alternate their colours.

    Args:
        title: of the chart.
        y_label: what the vertical axis counts, with its unit.
        series: the lines; at least one has a point.
        zero: whether the axis must begin at 0.
        digits: significant ones of the values in tool tips.
        least: what the vertical axis spans at least, see `widened`.
        bounds: of the vertical axis, see `widened`.
    """
    known = [(x, y) for one in series for x, y in one.points if y is not None]
    (left, right), (top, bottom) = (70, 408), (30, 196)
    x_low, x_high = min(x for x, _ in known), max(x for x, _ in known)
    y_low, y_high = min(y for _, y in known), max(y for _, y in known)
    y_low, y_high = widened(min(y_low, 0) if zero else y_low, y_high, least, bounds)
    if x_low == x_high:
        x_low, x_high = x_low - 1, x_high + 1
    if y_high - y_low < 1e-9 * max(1, abs(y_high)):
        y_low, y_high = y_low - 0.5 * (abs(y_low) or 1), y_high + 0.5 * (abs(y_high) or 1)
    else:
        margin = 0.04 * (y_high - y_low)
        y_low, y_high = y_low - (0 if zero and y_low == 0 else margin), y_high + margin

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - x_low) / (x_high - x_low) * (right - left),
            bottom - (y - y_low) / (y_high - y_low) * (bottom - top),
        )

    parts = [label(left, 18, f"{title}", extra=' class="title"')]
    parts.append(label(right, 18, y_label, "end", ' class="unit"'))
    for value, text in zip(*ticks(y_low, y_high), strict=True):
        y = place(x_low, value)[1]
        parts += [axis_line(left, y, right, y, "grid"), label(left - 6, y + 4, text, "end")]
    for value in ticks(x_low, x_high, 6)[0]:
        if value == round(value) and value >= 1:
            x = place(value, y_low)[0]
            parts += [
                axis_line(x, bottom, x, bottom + 4, "axis"),
                label(x, bottom + 16, f"{value:g}", "middle"),
            ]
    parts.append(axis_line(left, bottom, right, bottom, "axis"))
    parts.append(label(right, bottom + 32, "epoch", "end", ' class="unit"'))
    drawn, told = [], []
    layers = {}
    for dashed in (False, True):
        alike = [number for number, one in enumerate(series) if one.dashed == dashed]
        lines = [
            {x: place(x, y)[1] for x, y in series[number].points if y is not None}
            for number in alike
        ]
        layers.update(zip(alike, layered(lines, SAME), strict=True))
    for number, one in enumerate(series):
        layer, count = layers[number]
        placed = [None if y is None else place(x, y) for x, y in one.points]
        kind = f"run{one.run}{' dashed' if one.dashed else ''}"
        marks = ""
        if len(placed) <= 40:  # beyond that they would hide the line
            radius = 2 + 1.5 * (count - 1 - layer)
            marks = "".join(
                f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{radius:g}">'
                f"<title>{escape(f'{one.label}, epoch {x:g}: {y:.{digits}g}')}</title></circle>"
                for (x, y), point in zip(one.points, placed, strict=True)
                if point
            )
        style = alternating(layer, count, *(TRAINING_DASHES if one.dashed else (8,)))
        drawn.append((layer, f'<g class="{kind}"><path d="{_path(placed)}"{style}/>{marks}</g>'))
        ends = [y for _, y in one.points if y is not None]
        if ends:
            told.append(f"{one.label}: from {ends[0]:.{digits}g} to {ends[-1]:.{digits}g}")
    parts += [text for _, text in sorted(drawn, key=lambda pair: pair[0])]
    heading = (
        f"{title}{f' ({y_label})' if y_label else ''} over {len({x for x, _ in known})} epochs"
    )
    return svg(420, 236, heading, "; ".join(told), "".join(parts), "chart")


def histogram(title: str, edges: np.ndarray, layers: Mapping[int, LayerWeights]) -> str:
    """Draws the distribution of a layer's standardised weights, and the thresholds.

    Args:
        title: name of the layer.
        edges: of the bins, (bins + 1,), ascending.
        layers: that layer of one or several runs, by the number of the run from 1.
    """
    (left, right), (top, bottom) = (34, 252), (36, 124)
    highest = max(float(layer.shares.max()) for layer in layers.values()) or 1.0

    def across(value: float) -> float:
        return left + (value - edges[0]) / (edges[-1] - edges[0]) * (right - left)

    parts = [label(left, 14, shortened(title, 30), extra=' class="title"')]
    for value, text in zip(*ticks(float(edges[0]), float(edges[-1]), 4), strict=True):
        x = across(value)
        parts += [
            axis_line(x, bottom, x, bottom + 3, "axis"),
            label(x, bottom + 14, text, "middle"),
        ]
    for value, text in zip(*ticks(0, 100 * highest, 3), strict=True):
        y = bottom - value / (100 * highest) * (bottom - top)
        parts += [axis_line(left, y, right, y, "grid"), label(left - 4, y + 4, text, "end")]
    told, drawn = [], []
    heights_of = [bottom - layer.shares / highest * (bottom - top) for layer in layers.values()]
    levels = layered([dict(enumerate(heights)) for heights in heights_of], 1 - 1e-9)
    for place, (run, layer) in enumerate(layers.items()):
        heights, (level, count) = heights_of[place], levels[place]
        corners = [(across(edges[0]), bottom)]
        for at, height in enumerate(heights):
            corners += [(across(edges[at]), height), (across(edges[at + 1]), height)]
        corners.append((across(edges[-1]), bottom))
        kind = "filled" if len(layers) == 1 else ""
        style = alternating(level, count, 8)
        body = f'<path class="{kind}" d="{_path(corners)}"{style}/>'
        if layer.limit < edges[-1]:
            style = alternating(level, count, *LIMIT_DASHES)
            for limit in (-layer.limit, layer.limit):
                body += axis_line(across(limit), top - 4, across(limit), bottom, "limit", style)
        drawn.append((level, f'<g class="run{run}">{body}</g>'))
        text = f"Q = {layer.limit:.2f}, dead {layer.dead:.1%}"
        told.append(text)
        if len(layers) == 1:
            parts.append(label(left, 28, text))
        elif place < 2:  # more would not fit
            x, anchor = ((left, "start"), (right, "end"))[place]
            text = f"dead {layer.dead:.1%}"
            parts.append(label(x, 28, text, anchor, f' class="run{run} ink"'))
    parts += [text for _, text in sorted(drawn, key=lambda pair: pair[0])]
    parts.append(axis_line(left, bottom, right, bottom, "axis"))
    return svg(260, 144, f"Weights of {title}", "; ".join(told), "".join(parts), "histogram")
