"""Compares a file with its model, image by image."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from export.conversion.converter import convert
from export.keras_graph.inputs_outputs import Inputs
from export.keras_graph.output_kinds import find_output_kind
from export.proof import accuracy
from export.proof.accuracy import Bounds, Predictions
from export.proof.backend_agreement import are_within, run_backends
from export.proof.bisection import IMAGES, find_first_wrong_layer
from export.proof.engine_faults import find_wide_kernels
from export.proof.neighbours import GROUP, add_neighbours, find_grossly_different
from export.proof.outliers import find_outlier
from export.proof.output_comparison import compare
from export.proof.shifted_windows import find_shifted_windows
from export.proof.verdict import AGREEMENT, Verification
from export.tflite.file import File
from export.tflite.flatbuffer import read
from export.tflite.interpreter import run_all
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["AGREEMENT", "TOLERANCE", "Verification", "verify"]

TOLERANCE = 1e-3  # of the outputs' spread
# Share of the images of one class. All images together have to keep more; small classes vary.
KEPT_OF_A_CLASS = 0.9
# Some backends are slow on x86.
BACKEND_IMAGES = 16
KIND_IMAGES = 64


@preserve_quantized_scope()
def verify(
    flatbuffer: bytes | File,
    model: tf.keras.Model,
    images: Inputs,
    *,
    labels: np.ndarray | None = None,
    source: str = "images",
    tolerance: float = TOLERANCE,
    rounded: tf.keras.Model | None = None,
    converted: tf.keras.Model | None = None,
    bounds: Bounds | None = None,
) -> Verification:
    """Runs the file with the Larq Compute Engine interpreter and compares it with the model.

    Convolutions that read other windows than the model's are found by their sizes, see
    `export.proof.shifted_windows`, and so are those that the engine computes wrongly, see
    `export.proof.engine_faults`. If too many images differ, one differs grossly, a class is lost or
    all images have the same outputs, the layers are compared one by one to find the first wrong
    one (`export.proof.bisection`): on the first images, and on those that differ grossly, with
    neighbours of each (`export.proof.neighbours`). The engine's other backends run a few images.

    Args:
        flatbuffer: the TFLite file that `export.convert` made of the model.
        model: the model.
        images: (count, height, width, channels), of the type that the model takes; for several
            inputs a list, in the order of `model.inputs`.
        labels: int (count,), the true classes, if they are known, for the first output that has
            classes.
        source: what the images are, in words, for the report.
        tolerance: as a share of the outputs' spread, the largest distance of one from its mean over
            the images; of the largest output, if there is one image.
        rounded: of an int8 file, the model with activations rounded to int8; the outputs of the
            file are compared with its outputs.
        converted: the model that was converted, if it is another one: the one whose layers are
            compared.
        bounds: how accurate the file has to be: by its labels and, for int8, compared with the
            model itself. None means that accuracy is reported but not judged.

    Returns:
        The comparison. Outputs that are not finite count as different.

    Raises:
        ValueError: there are no images, not as many labels, or the file cannot be run or has
            another number of outputs.
    """
    found = len(tf.nest.flatten(images)[0])
    count = found if labels is None else len(labels)
    if not found or found != count:
        raise ValueError(
            f"`images` must be one or more, with a label each, got {found} images and "
            f"{count} labels."
        )
    file = read(flatbuffer)
    outputs = _predict(model, images)
    expected = outputs if rounded is None else _predict(rounded, images)
    got = run_all(file, images)
    if len(got) != len(expected):
        raise ValueError(
            f"`flatbuffer` must have the model's {len(expected)} outputs, got {len(got)}."
        )
    classes = _find_class_outputs(model, outputs, labels)
    names = getattr(model, "output_names", None) or [f"output {i}" for i in range(len(expected))]
    compared = [
        compare(
            *output,
            tolerance=tolerance,
            are_classes=number in classes,
            kept=KEPT_OF_A_CLASS,
        )
        for number, output in enumerate(zip(names, got, expected, strict=True))
    ]
    comparisons = tuple(comparison for comparison, _ in compared)
    badness = np.max([image_badness for _, image_badness in compared], axis=0)
    worst = min(comparisons, key=lambda output: (output.share_within, -output.largest_difference))
    values = {
        "images": found,
        "share_within": worst.share_within,
        "agreement": None,
        "largest_difference": max(output.largest_difference for output in comparisons),
        "tolerance": worst.tolerance,
        "source": source,
        "alike_images": any(output.constant for output in comparisons),
        "outputs": comparisons,
        "gross": int((badness >= 1).sum()),
    }
    if rounded is not None:
        values["reference"] = "Keras with activations rounded to int8"
    if classes and got[classes[0]].shape == expected[classes[0]].shape:
        first = classes[0]
        values["agreement"] = comparisons[first].agreement
        values["lost"] = comparisons[first].lost
        predictions = Predictions(outputs[first].argmax(1), got[first].argmax(1), labels)
        values |= _measure_predictions(predictions, rounded is not None)
        if bounds is not None:
            values["fault"] = accuracy.find_fault(predictions, bounds, rounded is not None)
    suspects = find_grossly_different(badness)
    few = [*suspects, *(i for i in range(min(found, BACKEND_IMAGES)) if i not in suspects)]
    allowed = [output.tolerance for output in comparisons]
    runs = run_backends(file, _choose_images(images, few), [array[few] for array in got], allowed)
    values |= {"backends": runs.backends, "refusing": runs.refusing, "differing": runs.differing}
    values["reference_right"] = len(suspects) > 0 and are_within(
        runs.reference_outputs, [array[few] for array in expected], allowed
    )
    if values.get("fault") and rounded is not None:
        found_outlier = find_outlier(converted or rounded, images)
        values["fault"] += f": {found_outlier}" if found_outlier else ""
    shifted = find_shifted_windows(file, converted or model)
    wide = find_wide_kernels(file, converted or model)
    if shifted or wide:
        wrong = (shifted or wide)[0]
        return Verification(**values, wrong_layer=wrong, shifted=tuple(shifted), wide=tuple(wide))
    verification = Verification(**values)
    if verification.computed:
        return verification
    return Verification(
        **values, **_compare_layers(file, converted or model, images, suspects, tolerance)
    )


def _predict(model: tf.keras.Model, images: Inputs) -> list[np.ndarray]:
    return tf.nest.flatten(model.predict(images, verbose=0))


def _choose_images(images: Inputs, numbers: Sequence[int]) -> Inputs:
    return [array[numbers] for array in images] if isinstance(images, list) else images[numbers]


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


def _measure_predictions(predictions: Predictions, int8: bool) -> dict[str, float]:
    """What a `Verification` states about classes, by its names."""
    found = {}
    if int8:
        found["keras_agreement"] = float(np.mean(predictions.file == predictions.model))
    if predictions.labels is not None:
        found["tflite_accuracy"] = float(np.mean(predictions.file == predictions.labels))
        found["keras_accuracy"] = float(np.mean(predictions.model == predictions.labels))
    return found


def _compare_layers(
    file: File,
    model: tf.keras.Model,
    images: Inputs,
    suspects: np.ndarray,
    tolerance: float,
) -> dict:
    """What comparing each layer shows, as attributes of a `Verification`."""

    def run_segment(segment: tf.keras.Model, values: np.ndarray) -> list[np.ndarray]:
        return run_all(convert(segment), values)

    def choose(array: np.ndarray) -> np.ndarray:
        return np.concatenate([add_neighbours(array[suspects]), array[:IMAGES]])

    chosen = list(map(choose, images)) if isinstance(images, list) else choose(images)
    groups = [slice(GROUP * number, GROUP * (number + 1)) for number in range(len(suspects))]
    groups.append(slice(GROUP * len(suspects), None))
    outputs = run_all(file, chosen)
    end = outputs if len(outputs) > 1 else outputs[0]
    try:
        wrong = find_first_wrong_layer(
            model, chosen, run_segment, tolerance, outputs=end, groups=groups
        )
    except ValueError as error:
        return {"not_taken_apart": str(error)}
    return {"taken_apart": True, "wrong_layer": wrong}
