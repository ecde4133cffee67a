"""What a model gives for images, and how the outputs of its file compare with that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.keras_graph.inputs_outputs import Inputs
from export.keras_graph.output_kinds import find_output_kind
from export.proof import accuracy
from export.proof.accuracy import Bounds, Predictions
from export.proof.output_comparison import compare

__all__ = ["KEPT_OF_A_CLASS", "KIND_IMAGES", "Expected", "compare_outputs", "predict_expected"]

# Share of the images of one class. All images together have to keep more; small classes vary.
KEPT_OF_A_CLASS = 0.9
KIND_IMAGES = 64


@dataclass(frozen=True)
class Expected:
    """The outputs of a model for images, and by what rules those of a file are compared with them.

    Attributes:
        images: that both take.
        outputs: of the model, each (images, ...).
        values: what the file is compared with: `outputs`, or those of the model that an int8 file
            was made of, with rounded activations.
        names: of the outputs.
        classes: the numbers of the outputs that are of classes.
        labels: int (images,), the true classes; None where they are unknown.
        tolerance: as a share of the outputs' spread.
        bounds: of accuracy; None where it is not judged.
        source: what the images are, in words.
    """

    images: Inputs
    outputs: list[np.ndarray]
    values: list[np.ndarray]
    names: Sequence[str]
    classes: Sequence[int]
    labels: np.ndarray | None
    tolerance: float
    bounds: Bounds | None
    source: str

    @property
    def is_rounded(self) -> bool:
        """Whether the file is compared with a model of rounded activations."""
        return self.values is not self.outputs


def predict_expected(
    model: tf.keras.Model,
    images: Inputs,
    *,
    rounded: tf.keras.Model | None,
    labels: np.ndarray | None,
    tolerance: float,
    bounds: Bounds | None,
    source: str,
) -> Expected:
    """Runs a model on images; for the arguments see `Expected` and `export.verify`."""
    outputs = _predict(model, images)
    return Expected(
        images=images,
        outputs=outputs,
        values=outputs if rounded is None else _predict(rounded, images),
        names=getattr(model, "output_names", None) or [f"output {i}" for i in range(len(outputs))],
        classes=_find_class_outputs(model, outputs, labels),
        labels=labels,
        tolerance=tolerance,
        bounds=bounds,
        source=source,
    )


def _predict(model: tf.keras.Model, images: Inputs) -> list[np.ndarray]:
    return tf.nest.flatten(model.predict(images, verbose=0))


def _find_class_outputs(
    model: tf.keras.Model, outputs: list[np.ndarray], labels: np.ndarray | None
) -> list[int]:
    """The numbers of the outputs that are of classes; labels say so of what may be."""
    wide = [number for number, values in enumerate(outputs) if values.ndim == 2]
    found = [n for n in wide if find_output_kind(model, outputs[n][:KIND_IMAGES], n) != "values"]
    if labels is None:
        return found
    # The corners of a box are as many numbers as few classes.
    return [n for n in found or wide if outputs[n].shape[1] > max(1, labels.max())]


def compare_outputs(expected: Expected, got: list[np.ndarray]) -> tuple[dict, np.ndarray]:
    """Compares the outputs of a file with a model's.

    Args:
        expected: of the model.
        got: of the file, each (images, ...).

    Returns:
        The comparison as attributes of `export.proof.verdict.Verification`, and how much each image
        differs, see `export.proof.output_comparison.compare`.

    Raises:
        ValueError: the file has another number of outputs.
    """
    if len(got) != len(expected.values):
        raise ValueError(
            f"`flatbuffer` must have the model's {len(expected.values)} outputs, got {len(got)}."
        )
    compared = [
        compare(
            *output,
            tolerance=expected.tolerance,
            are_classes=number in expected.classes,
            kept=KEPT_OF_A_CLASS,
        )
        for number, output in enumerate(zip(expected.names, got, expected.values, strict=True))
    ]
    comparisons = tuple(comparison for comparison, _ in compared)
    badness = np.max([image_badness for _, image_badness in compared], axis=0)
    worst = min(comparisons, key=lambda output: (output.share_within, -output.largest_difference))
    values = {
        "images": len(badness),
        "share_within": worst.share_within,
        "agreement": None,
        "largest_difference": max(output.largest_difference for output in comparisons),
        "tolerance": worst.tolerance,
        "source": expected.source,
        "alike_images": any(output.constant for output in comparisons),
        "outputs": comparisons,
        "gross": int((badness >= 1).sum()),
    }
    if expected.is_rounded:
        values["reference"] = "Keras with activations rounded to int8"
    if not expected.classes:
        return values, badness
    first = expected.classes[0]
    if got[first].shape == expected.values[first].shape:
        values["agreement"] = comparisons[first].agreement
        values["lost"] = comparisons[first].lost
        predictions = Predictions(
            expected.outputs[first].argmax(1), got[first].argmax(1), expected.labels
        )
        values |= _measure_predictions(predictions, expected.is_rounded)
        if expected.bounds is not None:
            values["fault"] = accuracy.find_fault(predictions, expected.bounds, expected.is_rounded)
    return values, badness


def _measure_predictions(predictions: Predictions, int8: bool) -> dict[str, float]:
    """What a `Verification` states about classes, by its names."""
    found = {}
    if int8:
        found["keras_agreement"] = float(np.mean(predictions.file == predictions.model))
    if predictions.labels is not None:
        found["tflite_accuracy"] = float(np.mean(predictions.file == predictions.labels))
        found["keras_accuracy"] = float(np.mean(predictions.model == predictions.labels))
    return found
