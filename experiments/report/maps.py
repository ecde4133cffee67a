"""The two maps of a report: layers over epochs, and classes by classes."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import tensorflow as tf

from experiments.report.charts import axis_line, label, shortened, svg, ticks

__all__ = ["confusion_matrix", "heatmap"]

# Viridis at equal distances: even in lightness, and the same to the colour-blind.
COLOURS = np.array(
    [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], np.float64
)


def heatmap(
    title: str,
    rows: Sequence[str],
    values: np.ndarray,
    first: int,
    low: float,
    high: float,
    power: float = 1,
) -> str:
    """Draws a number of each layer over the epochs, as colours.

    The colours are a picture inside the SVG, a pixel per number: shapes would be thousands.

    Args:
        title: of the chart, with its unit.
        rows: names of the layers.
        values: (layers, epochs), NaN where nothing is known.
        first: the first epoch.
        low: the number of the darkest colour.
        high: the number of the brightest one.
        power: of the way from low to high, to show small numbers among few large ones.
    """
    height, width = 14, 360
    shown = [shortened(row, 30) for row in rows]
    left, top = 12 + 7 * max(len(row) for row in shown), 28
    bottom, right = top + height * len(rows), left + width
    scaled = np.clip((values - low) / ((high - low) or 1), 0, 1) ** power * (len(COLOURS) - 1)
    places = np.arange(len(COLOURS))
    pixels = np.stack(
        [np.interp(np.nan_to_num(scaled), places, COLOURS[:, c]) for c in range(3)], axis=-1
    )
    alpha = np.where(np.isfinite(values), 255, 0)[..., np.newaxis]
    pixels = np.concatenate([pixels, alpha], axis=-1).round().astype(np.uint8)
    picture = base64.b64encode(tf.io.encode_png(pixels).numpy()).decode()
    parts = [
        label(8, 18, title, extra=' class="title"'),
        f'<image x="{left}" y="{top}" width="{width}" height="{bottom - top}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{picture}"/>',
    ]
    for number, (row, line) in enumerate(zip(rows, values, strict=True)):
        y = top + height * number
        known = line[np.isfinite(line)]
        told = f"{row}: from {known[0]:.4g} to {known[-1]:.4g}" if known.size else row
        parts.append(label(left - 6, y + 11, shown[number], "end"))
        parts.append(
            f'<rect class="hover" x="{left}" y="{y}" width="{width}" height="{height}">'
            f"<title>{escape(told)}</title></rect>"
        )
    count = values.shape[1]
    for value in ticks(first, first + max(count - 1, 1), 6)[0]:
        if value == round(value) and value < first + count:
            x = left + (value - first + 0.5) / count * width
            parts.append(axis_line(x, bottom, x, bottom + 4, "axis"))
            parts.append(label(x, bottom + 16, f"{value:g}", "middle"))
    parts.append(label(left - 6, bottom + 16, "epoch", "end", ' class="unit"'))
    description = f"Layers from top to bottom; colours from {low:.4g} to {high:.4g}"
    return svg(right + 12, bottom + 24, title, description, "".join(parts), "heatmap")


def confusion_matrix(title: str, names: Sequence[str], counts: np.ndarray) -> str:
    """Draws how often images of one class were taken for another.

    Args:
        title: of the chart.
        names: of the classes.
        counts: (classes, classes): images of the row's class that were taken for the column's.
    """
    cell = 34 if len(names) <= 12 else 26
    names = [shortened(name, 14) for name in names]
    longest = 7 * max(len(name) for name in names)
    left, top = 24 + max(64, longest), 24 + max(24, longest)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = shares * (1 - np.eye(len(names)))
    largest = float(wrong.max()) or 1.0
    size = cell * len(names)
    parts = [
        label(left - 8, top - 22, "predicted →", "end", ' class="unit"'),
        label(left - 8, top - 8, "true ↓", "end", ' class="unit"'),
    ]
    for number, name in enumerate(names):
        middle = cell * (number + 0.5)
        turned = f' transform="rotate(-90 {left + middle + 4:.1f} {top - 8})"'
        parts.append(label(left - 8, top + middle + 4, name, "end"))
        parts.append(label(left + middle + 4, top - 8, name, "start", turned))
    for (row, column), count in np.ndenumerate(counts):
        right = row == column
        share = shares[row, column]
        depth = share if right else 0.9 * share / largest
        x, y = left + cell * column, top + cell * row
        told = f"{names[row]} taken for {names[column]}: {count} images, {share:.1%}"
        parts.append(
            f'<rect class="{"right" if right else "wrong"}" x="{x}" y="{y}" width="{cell - 1}" '
            f'height="{cell - 1}" fill-opacity="{depth:.3f}"><title>{escape(told)}</title></rect>'
        )
        if count:
            kind = ' class="deep"' if depth > 0.55 else ""
            parts.append(label(x + cell / 2, y + cell / 2 + 4, str(count), "middle", kind))
    parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}"/>')
    total = int(counts.sum())
    description = f"{int(np.trace(counts))} of {total} images on the diagonal, where both agree"
    body = "".join(parts)
    return svg(left + size + 12, top + size + 12, title, description, body, "matrix")
