"""The data of a report, read from the directories of runs as far as it is there."""

import math
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from recu_tf import evaluation, json_text, larq_summary, metrics, quantizers, runs
from recu_tf.messages import format_count

__all__ = ["EDGES", "Contents", "LayerWeights", "Memory", "parse_number", "read"]

MOST_EPOCHS = 100_000  # a number beyond is damage
EDGES = np.linspace(-12, 12, 61)  # of the histograms; a standardised kernel deviates by 2.83


@dataclass(frozen=True)
class LayerWeights:
    """The standardised weights of a layer: shares of all in each bin, Q, and those beyond it."""

    shares: np.ndarray
    limit: float
    dead: float


@dataclass(frozen=True)
class Memory:
    """Larq's memory report.

    Attributes:
        header: of the columns.
        rows: name, bits of the input or None, shape of the output, weights by bitwidth, memory in
            KiB, multiply-accumulates by precision (None where Larq does not count them); the
            last row is that of the whole network.
        totals: what Larq sums up, by name.
    """

    header: list[str]
    rows: list[list]
    totals: dict[str, str]


@dataclass
class Contents:
    """All that a report shows of a run.

    Attributes:
        run: the run.
        name: what the report calls it.
        epochs: lines of `metrics.jsonl` in the order of the epochs, one for each.
        which: whether the attributes below are of the "best" or the "last" model; None without one.
        weights: by the names of the layers.
        memory: of the network; None without a model.
        confusion: (classes, classes), images of the row's class taken for the column's; None where
            the images or the model cannot be read.
        notes: what is missing, and why.
        members: of runs that differ in their seeds alone, the contents of each; all else here is
            then of all of them together, see `experiments.report.seed_groups`.
        deviations: of these, the standard deviations by the names of `values`, for each epoch from
            1.
    """

    run: runs.Run
    name: str
    epochs: list[dict] = field(default_factory=list)
    which: str | None = None
    weights: dict[str, LayerWeights] = field(default_factory=dict)
    memory: Memory | None = None
    confusion: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    members: tuple["Contents", ...] = ()
    deviations: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def class_names(self) -> list[str]:
        """Of the data set; numbers where it has no names."""
        names, count = self.run.config["class_names"], self.run.config["num_classes"]
        if not isinstance(names, list) or len(names) != count:
            return [str(number) for number in range(count)]
        return [str(name) for name in names]

    def values(self, name: str) -> list[tuple[int, float | None]]:
        """A number of each epoch: epochs from 1, None where it is missing or not finite."""
        return [(line["epoch"] + 1, parse_number(line.get(name))) for line in self.epochs]

    def layer_values(self, metric: str) -> dict[str, list[float]]:
        """A metric of each layer from the first epoch to the last, NaN where it is missing."""
        first = self.epochs[0]["epoch"] if self.epochs else 0
        count = self.epochs[-1]["epoch"] - first + 1 if self.epochs else 0
        values: dict[str, list[float]] = {}
        for line in self.epochs:
            layers = line.get("layers")
            for name, kept in layers.items() if isinstance(layers, dict) else ():
                value = parse_number(kept.get(metric)) if isinstance(kept, dict) else None
                if value is not None:
                    row = values.setdefault(name, [math.nan] * count)
                    row[line["epoch"] - first] = value
        return values


def parse_number(value) -> float | None:
    """A finite number, or None for anything else that a file may hold."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _read_epochs(contents: Contents) -> None:
    path = contents.run.path / "metrics.jsonl"
    imported = contents.run.config.get("imported")
    if not path.exists():
        contents.notes.append(
            "Imported from a checkpoint: it has no training of its own, so no curves."
            if imported
            else "There is no metrics.jsonl, so there are no curves."
        )
        return
    epochs, unreadable = {}, 0
    for text in path.read_text("utf-8", errors="replace").splitlines():
        try:
            line = json_text.parse(text)
            good = isinstance(line["epoch"], int) and 0 <= line["epoch"] < MOST_EPOCHS
        except (ValueError, TypeError, KeyError):
            good = False
        if good:
            epochs[line["epoch"]] = line  # of an epoch trained twice, the later one counts
        else:
            unreadable += 1
    contents.epochs = [epochs[epoch] for epoch in sorted(epochs)]
    if not epochs and not unreadable:
        contents.notes.append("metrics.jsonl is empty: no epoch has ended.")
    if unreadable:
        contents.notes.append(
            f"metrics.jsonl has {format_count(unreadable, 'line')} that cannot be read, as "
            "a training that was killed leaves them; the others are shown."
        )
    settings = contents.run.config["settings"]
    planned = parse_number(settings.get("epochs")) if isinstance(settings, dict) else None
    if planned and contents.epochs and contents.epochs[-1]["epoch"] + 1 < planned:
        contents.notes.append(
            f"The training has not ended: {contents.epochs[-1]['epoch'] + 1} of {planned:g} epochs."
        )
    if contents.epochs and not any(contents.layer_values(name) for name in metrics.METRICS):
        contents.notes.append("There are no diagnostics of the layers: they were not taken.")


def _load_model(contents: Contents) -> tf.keras.Model | None:
    reasons = []
    for which in runs.WHICH:
        try:
            model = contents.run.load_model(which)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
        else:
            contents.which = which
            if reasons:
                contents.notes.append(f"Shown of the last model instead of the best: {reasons[0]}")
            return model
    contents.notes.append(f"No weights, memory and confusion matrix: {reasons[0]}")
    return None


def _measure_weights(kernel: tf.Variable, quantizer: quantizers.ReCU) -> LayerWeights:
    standardized = quantizers.standardize_kernel(kernel, quantizer.axis)
    limit = float(quantizers.threshold(standardized, quantizer.tau))
    counts, _ = np.histogram(standardized.numpy(), EDGES)
    return LayerWeights(
        counts / standardized.shape.num_elements(),
        limit,
        float(metrics.dead_weights(kernel, quantizer.tau, quantizer.axis)),
    )


def _profile_memory(model: tf.keras.Model) -> Memory:
    profile = larq_summary.profile(model)
    widths, precisions = profile.unique_param_bidtwidths, profile.unique_op_precisions

    def row(part, name: str, *start) -> list:
        weights = [part.weight_count(width) for width in widths]
        macs = [part.op_count("mac", precision) for precision in precisions]
        return [name, *start, *weights, part.memory / (8 * 1024), *macs]

    rows = [
        row(part, part.name, part.input_precision, part.output_shape_str.replace("-1, ", ""))
        for part in profile.layer_profiles
        if part.weight_count()
    ]
    rows.append(row(profile, "Total", None, ""))
    header = [
        "Layer",
        "Input bits",
        "Output",
        *(f"{width}-bit weights" for width in widths),
        "Memory (KiB)",
        *(f"{precision}-bit MACs" for precision in precisions),
    ]
    totals = {
        name: f"{value:.3f}" if isinstance(value, float) else str(value)
        for name, value in profile.generate_summary()
    }
    return Memory(header, rows, totals)


def _count_confusion(contents: Contents, model: tf.keras.Model, data_path: str | None) -> None:
    classes = contents.run.config["num_classes"]
    counts = np.zeros((classes, classes), np.int64)
    try:
        batches, _ = evaluation.load_evaluation_set(contents.run, data_path)
        for images, labels in batches:
            if not 0 <= int(tf.reduce_min(labels)) <= int(tf.reduce_max(labels)) < classes:
                raise ValueError(f"their classes are not the {classes} of the network")
            taken_for = model.predict_on_batch(images).argmax(axis=-1)
            np.add.at(counts, (labels.numpy(), taken_for), 1)
    except (ValueError, OSError, ImportError, tf.errors.OpError) as error:
        reason = getattr(error, "message", None) or str(error)
        contents.notes.append(f"No confusion matrix, the test images cannot be read: {reason}")
    else:
        contents.confusion = counts


def read(run: runs.Run, name: str, data_path: str | None = None) -> Contents:
    """Reads the data of a run, and notes what is missing.

    Args:
        run: the run.
        name: what the report calls it.
        data_path: where the data set lies, if not where the training found it.
    """
    contents = Contents(run, name)
    _read_epochs(contents)
    model = _load_model(contents)
    if model is not None:
        kernels = metrics.find_quantized_kernels(model)
        contents.weights = {layer: _measure_weights(*kernel) for layer, kernel in kernels.items()}
        if not kernels:
            contents.notes.append("No weight histograms: no layer has a ReCU quantizer.")
        contents.memory = _profile_memory(model)
        _count_confusion(contents, model, data_path)
    return contents
