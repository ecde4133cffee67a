"""`recu demo`: a ResNet-20 on handwritten digits, trained, exported and verified; and a picture."""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from experiments.options import Parser
from experiments.quiet import quiet_standard_error

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    import export
    from experiments.prediction_picture import Predictions
    from recu_tf.runs import Run

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "demo"
HELP = "train, export and verify a ResNet-20 on handwritten digits"
DESCRIPTION = (
    "Trains a ResNet-20 on handwritten digits in RESULTS_DIR/demo, exports it, verifies the file "
    "and prints accuracy, size and latency beside those of the float32 baseline, and how many "
    "times as fast as that the file is here. A picture, predictions.png, shows what it makes of "
    "digits, and what a network that comes with recu makes of photographs."
)

# Small enough for 360 steps in 30 epochs, large enough to keep two cores busy.
BATCH_SIZE = 128
# Of the networks that come along, the one for photographs.
PHOTOGRAPHS = "cifar10-resnet20"


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu demo`."""
    parser.option("--results_dir", metavar="DIR", default="results", help="directory of all runs")
    parser.option("--epochs", type=int, default=30, help="passes over the training images")


def run(options: argparse.Namespace) -> None:
    """Runs the demonstration and prints its table."""
    print(demo(Path(options.results_dir), options.epochs))


def find_free_directory(results: Path) -> Path:
    """The first of demo, demo-2, demo-3, ... that does not exist yet."""
    names = itertools.chain(["demo"], (f"demo-{number}" for number in itertools.count(2)))
    return next(results / name for name in names if not (results / name).exists())


def _table(report: export.Report, seconds: float, picture: Path) -> str:
    from export import runtime
    from recu_tf.durations import format_duration

    audit, verification = report.audit, report.verification
    operators = sum(audit.operators.values())
    rows = [
        (
            "accuracy, Keras",
            f"{verification.keras_accuracy:.2%} of {verification.images} test images",
        ),
        ("accuracy, TFLite", f"{verification.tflite_accuracy:.2%}"),
        ("size, binary", f"{report.size / 1000:,.1f} kB"),
        (
            "size, float32",
            f"{report.float_size / 1000:,.1f} kB ({report.float_size / report.size:.1f} times)",
        ),
        ("binary operators", f"{audit.binary} of {operators}"),
        ("binary convolutions", f"{audit.binary} of {len(audit.expected)} that should be"),
        ("training", format_duration(seconds)),
        ("file", os.path.relpath(report.path)),
        ("picture", os.path.relpath(picture)),
        ("latency, delegate", _describe(report.fastest_in_delegate)),
        ("latency, engine", _describe(report.fastest_in_engine)),
        ("latency, float32", _describe(report.fastest_baseline)),
    ]
    table = tabulate(rows, tablefmt="outline", disable_numparse=True)
    problem = runtime.find_problem()
    missing = [f"The delegate is missing: {problem}"] if problem else []
    return "\n".join([table, *missing, report.speed])


def _describe(latency: export.Latency | None) -> str:
    from export import runtime
    from export.measurement.comparison import format_number
    from export.runtime.delegate_facts import name_backend, name_interpreter
    from export.tflite.backends import DELEGATE

    if latency is None:
        return "not measured"
    backend = latency.backend
    if backend == DELEGATE:
        backend = f"{name_backend(runtime.delegate())} in {name_interpreter()}"
    return f"{format_number(latency.median_ms)} ms ({backend}, one thread)"


def demo(results: Path, epochs: int) -> str:
    """Trains a ResNet-20 on the digits, exports it, verifies the file and draws a picture.

    Args:
        results: the directory of all runs, in which a new run is made.
        epochs: passes over the training images.

    Returns:
        The closing table, and a sentence on the speed.

    Raises:
        export.ExportError: the file fails the verification.
    """
    import export
    from recu_tf import training
    from recu_tf.settings import Settings

    settings = Settings(
        model="resnet20_1w1a",
        dataset="digits",
        epochs=epochs,
        batch_size=BATCH_SIZE,
        warm_up=True,
    )
    directory = find_free_directory(results)
    print(f"Training {settings.model} on {settings.dataset} for {epochs} epochs in {directory}")
    start = time.perf_counter()
    run = training.train(settings, directory)
    seconds = time.perf_counter() - start
    print("Exporting the best model and verifying the file")
    with quiet_standard_error():
        # After an epoch or two, the accuracy may be no better than chance; the table shows it.
        options = export.Options(check_accuracy=False)
        report = export.export_bundle(export.load(run.path), options=options)
    print(report, end="\n\n")
    picture = run.path / "predictions.png"
    with quiet_standard_error():
        draw_picture(run, report.verification.keras_accuracy, picture)
    return _table(report, seconds, picture)


def draw_picture(run: Run, accuracy: float, path: Path) -> None:
    """Draws what two networks make of images that they were not trained on.

    Args:
        run: of the network that the demonstration trained on digits, of which it gets the first of
            each class of the test images.
        accuracy: its share of right answers.
        path: of the PNG file to write. The network that comes along gets photographs.
    """
    import numpy as np

    from experiments.prediction_picture import draw_predictions
    from experiments.pretrained.sample_photographs import read_photographs
    from recu_tf import data, models, pretrained

    entry = pretrained.find(PHOTOGRAPHS)
    photographs = _predict(
        f"{entry.name}, which comes with recu",
        f"{entry.top_1:.2%} of {entry.test_images:,} test images right; the first of each class",
        models.build(entry.model, weights=entry.dataset),
        entry.dataset,
        *read_photographs(),
    )
    images, labels = data.load("digits", "test", normalized=False)
    _, chosen = np.unique(labels, return_index=True)
    digits = _predict(
        "the network trained just now, on digits",
        f"{accuracy:.2%} of {len(images)} test images right; the first of each class",
        run.load_model("best"),
        "digits",
        images[chosen],
        labels[chosen],
    )
    draw_predictions([photographs, digits], path)


def _predict(
    title: str,
    subtitle: str,
    model: tf.keras.Model,
    dataset: str,
    images: np.ndarray,
    labels: np.ndarray,
) -> Predictions:
    """The probabilities that a network of logits gives to the classes of images of a data set."""
    import tensorflow as tf

    from experiments.prediction_picture import Predictions
    from recu_tf import data

    known = data.DATASETS[dataset]
    probabilities = tf.nn.softmax(model(known.normalization(images), training=False)).numpy()
    return Predictions(title, subtitle, images, labels, known.class_names, probabilities)
