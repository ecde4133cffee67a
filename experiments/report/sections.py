"""The sections of a report: charts and tables of the runs, for the templates in `templates`."""

import math
from collections.abc import Sequence

import numpy as np

from experiments.report import charts, maps, tables
from experiments.report.histograms import draw_histogram
from experiments.report.run_data import EDGES, Contents
from recu_tf import metrics
from recu_tf.html import NOTHING, Section, Table

__all__ = ["make_sections"]

MOST_CLASSES = 30  # of a confusion matrix that can be read
CURVES = (  # title, unit, factor, of the images that choose the epoch, of the training images
    ("Loss", "cross-entropy", 1, "val_loss", "loss"),
    ("Accuracy", "top-1, %", 100, "val_accuracy", "accuracy"),
    ("Learning rate", "", 1, "lr", None),
    ("Temperature tau", "", 1, "tau", None),
    ("Dead weights", "mean of the layers, %", 100, "dead_weights", None),
    ("Flipped signs", "mean of the layers, % per epoch", 100, "flipped_signs", None),
    ("Quantisation error", "mean of the layers, % of energy", 100, "quantization_error", None),
    ("Entropy of the signs", "mean of the layers, bits", 1, "sign_entropy", None),
)
ZERO = ("lr", "flipped_signs", "dead_weights")  # whose axis begins at 0
# For each, in its unit: the range that is worth the whole height of a chart, and its bounds.
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


def _draw_curves(runs: Sequence[Contents]) -> dict[str, object] | None:
    drawn = []
    for title, unit, factor, test_key, training_key in CURVES:
        series = []
        for number, run in enumerate(runs, 1):
            for key, images, dashed in (
                (training_key, "training", True),
                (test_key, run.run.chosen_on.split()[0], False),
            ):
                points = [] if key is None else run.values(key)
                points = [(x, None if y is None else factor * y) for x, y in points]
                if any(y is not None for _, y in points):
                    label = f"{run.name}, {images}" if training_key else run.name
                    deviations = {
                        epoch: factor * deviation
                        for epoch, deviation in run.deviations.get(key, {}).items()
                    }
                    series.append(charts.Series(label, number, points, dashed, deviations))
        if series:
            least, bounds = RANGES.get(test_key, (0, (-math.inf, math.inf)))
            chart = charts.draw_lines(
                title, unit, series, zero=test_key in ZERO, least=least, bounds=bounds
            )
            drawn.append(chart)
    chosen_on = " or ".join(dict.fromkeys(run.run.chosen_on for run in runs))
    if not drawn:
        return None
    has_bands = any(run.deviations for run in runs)
    return {"runs": runs, "charts": drawn, "chosen_on": chosen_on, "has_bands": has_bands}


def _format_scale(low: float, high: float, power: float) -> list[str]:
    """The numbers at the start, the middle and the end of the scale of colours."""
    middle = low + 0.5 ** (1 / power) * (high - low)
    decimals = max(0, 1 - math.floor(math.log10(high - low))) if high > low else 4
    return [f"{value:.{decimals}f}" for value in (low, middle, high)]


def _format_last(values: Sequence[float] | None, factor: float) -> str:
    return f"{factor * values[-1]:.4g}" if values and values[-1] == values[-1] else NOTHING


def _draw_heatmaps(runs: Sequence[Contents], metric: str) -> list[dict[str, object]]:
    """A heatmap of a metric for each run that has it, all in the same colours."""
    title, factor = UNITS[metric]
    values_of = [run.layer_values(metric) for run in runs]
    known = [v for values in values_of for row in values.values() for v in row if v == v]
    if not known:
        return []
    least, bounds = RANGES[metric]
    low, high = charts.widen(factor * min(known), factor * max(known), least=least, bounds=bounds)
    power = 0.5 if metric == "flipped_signs" else 1  # the first epoch outshines the others
    cards = []
    for run, values in zip(runs, values_of, strict=True):
        if values:
            first = run.epochs[0]["epoch"] + 1
            array = factor * np.array(list(values.values()))
            drawn = maps.draw_heatmap(
                title, list(values), array, first=first, low=low, high=high, power=power
            )
            cards.append({"run": run.name, "map": drawn, "scale": _format_scale(low, high, power)})
    return cards


def _make_last_epoch_table(run: Contents) -> Table | None:
    """Each metric of each layer in the last epoch."""
    values = {metric: run.layer_values(metric) for metric in metrics.METRICS}
    names = dict.fromkeys(name for layers in values.values() for name in layers)
    if not names:
        return None
    rows = [
        [
            name,
            *(
                _format_last(values[metric].get(name), UNITS[metric][1])
                for metric in metrics.METRICS
            ),
        ]
        for name in names
    ]
    header = ["Layer", *(UNITS[metric][0] for metric in metrics.METRICS)]
    return Table(f"{run.name}, epoch {run.epochs[-1]['epoch'] + 1}", header, rows)


def _show_layers(runs: Sequence[Contents]) -> dict[str, object] | None:
    """Heatmaps, those of one metric side by side, and the numbers of the last epoch."""
    grids = [cards for metric in metrics.METRICS if (cards := _draw_heatmaps(runs, metric))]
    if not grids:
        return None
    if len(runs) == 1:
        grids = [[card for cards in grids for card in cards]]
    last = {run.name: table for run in runs if (table := _make_last_epoch_table(run))}
    return {"grids": grids, "several_runs": len(runs) > 1, "last_epoch": last}


def _show_weights(runs: Sequence[Contents]) -> dict[str, object] | None:
    names = dict.fromkeys(name for run in runs for name in run.weights)
    if not names:
        return None
    histograms = []
    run_names = {number: run.name for number, run in enumerate(runs, 1)}
    for name in names:
        layers = {
            number: run.weights[name] for number, run in enumerate(runs, 1) if name in run.weights
        }
        histograms.append(draw_histogram(name, EDGES, layers, run_names))
    return {
        "which": " and ".join(sorted({run.which for run in runs if run.weights})),
        "width": f"{EDGES[1] - EDGES[0]:.1g}",
        "runs": runs,
        "histograms": histograms,
    }


def _show_memory(runs: Sequence[Contents]) -> dict[str, object] | None:
    shown = [run for run in runs if run.memory]
    if not shown:
        return None
    return {"totals": tables.make_memory_totals(shown), "layers": tables.make_memory_tables(shown)}


def _show_confusion(runs: Sequence[Contents]) -> dict[str, object] | None:
    cards = []
    for run in runs:
        if run.confusion is None:
            continue
        right, images = int(np.trace(run.confusion)), int(run.confusion.sum())
        saved = "saved models of all seeds" if run.members else f"{run.which} model"
        heading = f"{run.name} ({saved}): {right / max(images, 1):.2%} of {images:,} right"
        card = {"heading": heading, "matrix": None, "table": None}
        if len(run.class_names) > MOST_CLASSES:
            card["table"] = tables.make_confused_pairs(run)
        else:
            card["matrix"] = maps.lay_out_confusion(run.class_names, run.confusion)
        cards.append(card)
    return {"cards": cards} if cards else None


def make_sections(runs: Sequence[Contents]) -> list[Section]:
    """The sections of a report, without those that have nothing to show."""
    settings = {"table": tables.make_settings_table(runs)}
    sections = [
        Section("curves", "Curves", "curves.html.j2", _draw_curves(runs)),
        Section("layers", "Layers over the epochs", "diagnostics.html.j2", _show_layers(runs)),
        Section("weights", "Weights", "weights.html.j2", _show_weights(runs)),
        Section("memory", "Memory", "memory.html.j2", _show_memory(runs)),
        Section("confusion", "Confusion", "confusion.html.j2", _show_confusion(runs)),
        Section("settings", "Settings", "table.html.j2", settings),
    ]
    return [section for section in sections if section.values is not None]
