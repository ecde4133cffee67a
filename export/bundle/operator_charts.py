"""Charts of an export: what each operator costs, and how long the files take."""

import textwrap
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from export.measurement.comparison import format_number
from export.measurement.latency import Latency
from export.proof.operators import OperatorSummary
from recu_tf import figures
from recu_tf.messages import format_count

__all__ = ["COLOURS", "draw_latencies", "draw_operators"]

# Numbers of the colours of the bars.
COLOURS = {"operators with bits": 1, "others": 2}
WIDTH, HEIGHT = 420, 236  # of the charts of operators, in CSS pixels
ROW, LETTER = 32, 7  # height of a latency, and width of a letter
MOST_LETTERS, MOST_LINES = 28, 2  # of what is drawn of a name; under the pointer it is whole


def draw_operators(rows: Sequence[OperatorSummary]) -> list[Markup]:
    """Draws the multiply-accumulates and the bytes of each operator, in their order."""
    if not rows:
        return []
    names = [f"{number}: {_name_operator(row)}" for number, row in enumerate(rows, 1)]
    computes_with_bits = [row.binary_macs > 0 for row in rows]
    return [
        _draw_bars(title, names, _split(counts, computes_with_bits))
        for title, counts in (
            ("Multiply-accumulates", [row.binary_macs + row.float_macs for row in rows]),
            ("Bytes", [row.constant_bytes for row in rows]),
        )
    ]


def _name_operator(row: OperatorSummary) -> str:
    return f"{row.layer} ({row.operator})" if row.layer else row.operator


def _split(counts: Sequence[int], has_bits: Sequence[bool]) -> dict[str, list[int | None]]:
    """The counts of the operators with bits, and of the others, each at their places."""
    return {
        label: [
            count if count and bits == wanted else None
            for count, bits in zip(counts, has_bits, strict=True)
        ]
        for label, wanted in zip(COLOURS, (True, False), strict=True)
    }


def _draw_bars(
    title: str, names: Sequence[str], series: Mapping[str, Sequence[int | None]]
) -> Markup:
    numbers = list(range(1, len(names) + 1))
    highest = max((value or 0 for values in series.values() for value in values), default=0) or 1
    with figures.use_figure_style():
        figure = Figure(figsize=(WIDTH / figures.INCH, HEIGHT / figures.INCH))
        axes = figure.add_axes((0.19, 0.17, 0.78, 0.70))
        axes.set_xlim(0.4, len(names) + 0.6)
        axes.set_ylim(0, 1.04 * highest)
        axes.set_title(title, loc="left")
        axes.set_xlabel("operator", loc="right", labelpad=1)
        axes.grid(axis="y")
        figures.draw_ticks(axes.xaxis, 8, integer=True)
        figures.draw_ticks(axes.yaxis, 5)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        for label, values in series.items():
            colour = figures.choose_run_colour(COLOURS[label])
            axes.bar(numbers, [value or 0 for value in values], width=0.8, color=colour)
        largest = max(
            range(len(names)), key=lambda at: max(values[at] or 0 for values in series.values())
        )
        drawing = figures.to_svg(
            figure,
            title=f"{title} of {len(names)} operators",
            description=f"The most has {names[largest]}",
            css_class="lines",
            tooltips={},
        )
    chart = {
        "kind": "bars",
        "title": title,
        "unit": "of each operator",
        "axis": "operator",
        "x": numbers,
        "pad": 0.6,
        "range": [0, 1.04 * highest],
        "zero": True,
        "names": list(names),
        "series": [
            {"label": label, "colour": f"run{COLOURS[label]}", "y": list(values)}
            for label, values in series.items()
        ],
    }
    return figures.with_data(drawing, chart)


def draw_latencies(latencies: Sequence[Latency]) -> Markup:
    """Draws the median of each latency as a bar, from its minimum to the 95th percentile a line.

    Args:
        latencies: one or more, from the top down.
    """
    names = [_name(latency) for latency in latencies]
    labels = [
        textwrap.wrap(name, MOST_LETTERS, max_lines=MOST_LINES, placeholder="…") for name in names
    ]
    longest = max(len(line) for lines in labels for line in lines)
    left, above, below = 16 + LETTER * longest, 34, 30
    width, height = left + 330, above + ROW * len(labels) + below
    with figures.use_figure_style():
        figure = Figure(figsize=(width / figures.INCH, height / figures.INCH))
        axes = figure.add_axes(
            (left / width, below / height, 300 / width, ROW * len(labels) / height)
        )
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.set_yticks(range(len(labels)), ["\n".join(lines) for lines in labels])
        figures.draw_ticks(axes.xaxis, 5)
        figure.text(8 / width, 1 - 20 / height, "Latency", fontsize=9.75, weight="bold")
        axes.set_xlabel("milliseconds", loc="right", labelpad=1)
        tooltips = {}
        for row, latency in enumerate(latencies):
            gid = f"latency-{row}"
            colour = figures.choose_run_colour(_choose_colour(row))
            (bar,) = axes.barh([row], [latency.median_ms], height=0.6, color=colour)
            bar.set_gid(gid)
            axes.plot([latency.min_ms, latency.p95_ms], [row, row], color=figures.INK, linewidth=1)
            tooltips[gid] = f"{names[row]}: {_describe(latency)}"
        axes.set_xlim(0, None)
        drawing = figures.to_svg(
            figure,
            title="Latency",
            description="; ".join(tooltips.values()),
            css_class="bars",
            tooltips=tooltips,
        )
    chart = {
        "kind": "rows",
        "title": "Latency",
        "unit": "milliseconds",
        "axis": "file",
        "x": list(range(len(names))),
        "pad": 0.5,
        "names": names,
        "left": left,
        "range": [0, 1.04 * max(latency.p95_ms for latency in latencies)],
        "zero": True,
        "series": [
            {
                "label": "median",
                "colour": f"run{_choose_colour(wanted)}",
                "y": [
                    latency.median_ms if _choose_colour(row) == _choose_colour(wanted) else None
                    for row, latency in enumerate(latencies)
                ],
            }
            for wanted in range(min(2, len(latencies)))
        ],
        "ends": [[latency.min_ms, latency.p95_ms] for latency in latencies],
        "texts": [_describe(latency) for latency in latencies],
    }
    return figures.with_data(drawing, chart)


def _choose_colour(row: int) -> int:
    """The number of the colour of a latency: the first is what the others are compared with."""
    return 1 if row == 0 else 7


def _name(latency: Latency) -> str:
    return f"{latency.name}, {latency.backend}, {format_count(latency.threads, 'thread')}"


def _describe(latency: Latency) -> str:
    median, least, most = map(format_number, (latency.median_ms, latency.min_ms, latency.p95_ms))
    return f"median {median} ms, minimum {least} ms, 95th percentile {most} ms"
