"""The distributions of a layer's weights, and the thresholds of ReCU."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.report.charts import CSS_PIXELS
from experiments.report.overlays import alternate, find_layers
from experiments.report.run_data import LayerWeights
from recu_tf import figures

__all__ = ["draw_histogram"]

LIMIT_DASHES = (3, 2)  # dash and gap in points


def draw_histogram(
    title: str, edges: np.ndarray, layers: Mapping[int, LayerWeights], names: Mapping[int, str]
) -> Markup:
    """Draws the distribution of a layer's standardised weights, and the thresholds.

    Args:
        title: name of the layer.
        edges: of the bins, (bins + 1,), ascending.
        layers: that layer of one or several runs, by the number of the run from 1.
        names: of the runs, by their numbers.
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
        figure.text(0.131, 0.915, figures.shorten(title, 30), fontsize=9.75, weight="bold")
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
        drawing = figures.to_svg(
            figure,
            title=f"Weights of {title}",
            description="; ".join(map(_describe, layers.values())),
            css_class="histogram",
            tooltips={},
        )
    chart = {
        "kind": "steps",
        "title": title,
        "unit": "; ".join(map(_describe, layers.values())) if len(layers) == 1 else "",
        "axis": "weight",
        "x": figures.round_numbers(edges),
        "pad": 0,
        "range": (0, 105 * highest),
        "zero": True,
        "series": [
            {
                "label": names[run],
                "colour": f"run{run}",
                "dashed": False,
                "width": 1.35 * CSS_PIXELS,
                "dash": [],
                "offset": 0,
                # A step ends where the next one begins, the last one at the last edge.
                "y": figures.round_numbers(100 * np.append(layer.shares, layer.shares[-1])),
            }
            for run, layer in layers.items()
        ],
        "limits": [
            {"colour": f"run{run}", "value": layer.limit}
            for run, layer in layers.items()
            if layer.limit < edges[-1]
        ],
    }
    return figures.with_data(drawing, chart)


def _describe(layer: LayerWeights) -> str:
    return f"Q = {layer.limit:.2f}, dead {layer.dead:.1%}"
