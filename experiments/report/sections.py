"""The sections of a report: what is read of the runs becomes charts and tables."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from experiments.report import charts as charts
from experiments.report import maps as maps
from experiments.report import tables as tables
from experiments.report.run_data import EDGES, Contents
from recu_tf import metrics
from recu_tf.html import table

__all__ = ["sections"]

MOST_CLASSES = 30  # of a confusion matrix that can be read
CURVES = (  # title, unit, factor, what is on the test images, what is on the training images
    ("Loss", "cross-entropy", 1, "val_loss", "loss"),
    ("Accuracy", "top-1, %", 100, "val_accuracy", "accuracy"),
    ("Learning rate", "", 1, "lr", None),
    ("Temperature tau", "", 1, "tau", None),
    ("Dead weights", "mean of the layers, %", 100, "dead_weights", None),
    ("Flipped signs", "mean of the layers, % per epoch", 100, "flipped_signs", None),
    ("Quantisation error", "mean of the layers, % of energy", 100, "quantization_error", None),
    ("Entropy of the signs", "mean of the layers, bits", 1, "sign_entropy", None),
)
ZERO = ("lr", "flipped_signs", "dead_weights")  # where 0 belongs into the picture
# What of each, in its unit, is worth the whole height of a chart, and what it cannot leave.
RANGES = {
    "val_loss": (0.01, (0, math.inf)),
    "val_accuracy": (1, (0, 100)),
    "tau": (0.01, (0.5, 1)),
    "dead_weights": (1, (0, 100)),
    "flipped_signs": (0.1, (0, 100)),
    "quantization_error": (1, (0, 100)),
    "sign_entropy": (0.01, (0, 1)),
}
UNITS = {
    "dead_weights": ("Dead weights, %", 100),
    "flipped_signs": ("Flipped signs, % per epoch", 100),
    "quantization_error": ("Quantisation error, % of energy", 100),
    "sign_entropy": ("Entropy of the signs, bits", 1),
}


def _key(runs: Sequence[Contents], sets: bool = True) -> str:
    """The legend: colours of the runs and, if asked for, strokes of the two sets of images."""
    entries = [
        f'<span><svg class="run{number}" viewBox="0 0 30 10" aria-hidden="true">'
        f'<path d="M0 5H30"/></svg>{escape(one.name)}</span>'
        for number, one in enumerate(runs, 1)
    ]
    for text, kind in (("test images", ""), ("training images", "dashed")) if sets else ():
        entries.append(
            f'<span class="faint"><svg class="{kind}" viewBox="0 0 30 10" aria-hidden="true">'
            f'<g class="{kind}"><path d="M0 5H30"/></g></svg>{text}</span>'
        )
    return f'<div class="key" role="group" aria-label="Legend">{"".join(entries)}</div>'


def _curves(runs: Sequence[Contents]) -> str:
    drawn = []
    for title, unit, factor, name, trained in CURVES:
        series = []
        for number, one in enumerate(runs, 1):
            for key, label, dashed in ((trained, "training", True), (name, "test", False)):
                points = [] if key is None else one.values(key)
                points = [(x, None if y is None else factor * y) for x, y in points]
                if any(y is not None for _, y in points):
                    label = f"{one.name}, {label}" if trained else one.name
                    series.append(charts.Series(label, number, points, dashed))
        if series:
            least, bounds = RANGES.get(name, (0, (-math.inf, math.inf)))
            chart = charts.line_chart(
                title, unit, series, zero=name in ZERO, least=least, bounds=bounds
            )
            drawn.append(f'<div class="card">{chart}</div>')
    note = "<p>Lines that lie on each other alternate their colours.</p>" if len(runs) > 1 else ""
    return f'{note}{_key(runs)}<div class="grid">{"".join(drawn)}</div>' if drawn else ""


def _scale(low: float, high: float, power: float) -> str:
    middle = low + 0.5 ** (1 / power) * (high - low)
    decimals = max(0, 1 - math.floor(math.log10(high - low))) if high > low else 4
    texts = [f"{value:.{decimals}f}" for value in (low, middle, high)]
    ends = f'{texts[0]}<i></i>{texts[1]}<i class="upper"></i>{texts[2]}'
    return f'<div class="scale" aria-hidden="true">{ends}</div>'


def _last(values: Sequence[float] | None, factor: float) -> str:
    return f"{factor * values[-1]:.4g}" if values and values[-1] == values[-1] else tables.NOTHING


def _layers(runs: Sequence[Contents]) -> str:
    """A heatmap for each metric and run, and the numbers of the last epoch."""
    rows_of_cards = []
    for metric in metrics.METRICS:
        title, factor = UNITS[metric]
        values_of = [one.layer_values(metric) for one in runs]
        known = [v for values in values_of for row in values.values() for v in row if v == v]
        if not known:
            continue
        low, high = charts.widened(factor * min(known), factor * max(known), *RANGES[metric])
        power = 0.5 if metric == "flipped_signs" else 1  # the first epoch outshines the others
        cards = []
        for one, values in zip(runs, values_of, strict=True):
            if values:
                name = f"<h3>{escape(one.name)}</h3>" if len(runs) > 1 else ""
                first = one.epochs[0]["epoch"] + 1
                array = factor * np.array(list(values.values()))
                drawn = maps.heatmap(title, list(values), array, first, low, high, power)
                drawn += _scale(low, high, power)
                cards.append(f'<div class="card scroll" tabindex="0">{name}{drawn}</div>')
        rows_of_cards.append("".join(cards))
    if len(runs) == 1:
        rows_of_cards = ["".join(rows_of_cards)] if rows_of_cards else []
    parts = [f'<div class="grid wide">{cards}</div>' for cards in rows_of_cards]
    for one in runs:
        values = {metric: one.layer_values(metric) for metric in metrics.METRICS}
        names = dict.fromkeys(name for rows in values.values() for name in rows)
        rows = [
            [
                name,
                *(_last(values[metric].get(name), UNITS[metric][1]) for metric in metrics.METRICS),
            ]
            for name in names
        ]
        if rows:
            header = ["Layer", *(UNITS[metric][0] for metric in metrics.METRICS)]
            caption = f"{one.name}, epoch {one.epochs[-1]['epoch'] + 1}"
            parts.append(
                f"<details><summary>Numbers of the last epoch: {escape(one.name)}</summary>"
                f"{table(caption, header, rows)}</details>"
            )
    return "".join(parts)


def _weights(runs: Sequence[Contents]) -> str:
    names = dict.fromkeys(name for one in runs for name in one.weights)
    if not names:
        return ""
    cards = []
    for name in names:
        layers = {at: one.weights[name] for at, one in enumerate(runs, 1) if name in one.weights}
        cards.append(f'<div class="card">{charts.histogram(name, EDGES, layers)}</div>')
    which = " and ".join(sorted({one.which for one in runs if one.weights}))
    return (
        f"<p>Latent weights of the {which} model, standardised: per cent of the layer's weights "
        f"in each bin of {EDGES[1] - EDGES[0]:.1g}. Dashed lines are the threshold ±Q; the weights "
        f"beyond it are the dead ones.</p>{_key(runs, sets=False) if len(runs) > 1 else ''}"
        f'<div class="grid small">{"".join(cards)}</div>'
    )


def _confusion(runs: Sequence[Contents]) -> str:
    parts, cards = [], []
    for one in runs:
        if one.confusion is None:
            continue
        right, images = int(np.trace(one.confusion)), int(one.confusion.sum())
        heading = f"{one.name} ({one.which}): {right / max(images, 1):.2%} of {images:,} right"
        if len(one.class_names) > MOST_CLASSES:
            content = tables.confused_pairs(one)
        else:
            drawn = maps.confusion_matrix(heading, one.class_names, one.confusion)
            content = f'<div class="scroll" tabindex="0">{drawn}</div>'
        cards.append(f'<div class="card"><h3>{escape(heading)}</h3>{content}</div>')
    if cards:
        parts.append(
            "<p>Test images by their class (rows) and by what the network takes them for "
            "(columns). Colour: share of the class; for mistakes relative to the largest.</p>"
            f'<div class="grid wide">{"".join(cards)}</div>'
        )
    return "".join(parts)


def sections(runs: Sequence[Contents]) -> list[tuple[str, str, str]]:
    """Anchor, heading and HTML of each section; HTML is empty where there is nothing to show."""
    return [
        ("curves", "Curves", _curves(runs)),
        ("layers", "Layers over the epochs", _layers(runs)),
        ("weights", "Weights", _weights(runs)),
        ("memory", "Memory", tables.memory_tables(runs)),
        ("confusion", "Confusion", _confusion(runs)),
        ("settings", "Settings", tables.settings_table(runs)),
    ]
