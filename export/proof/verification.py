"""Compares a file with its model, image by image, with both interpreters."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from export import runtime
from export.keras_graph.inputs_outputs import Inputs
from export.proof.accuracy import Bounds
from export.proof.backend_agreement import are_within, run_backends
from export.proof.engine_faults import find_wide_kernels
from export.proof.expected_outputs import (
    KIND_IMAGES,
    Expected,
    compare_outputs,
    predict_expected,
)
from export.proof.layer_comparison import LayerComparison
from export.proof.neighbours import find_grossly_different
from export.proof.outliers import find_outlier
from export.proof.shifted_windows import find_shifted_windows
from export.proof.verdict import AGREEMENT, Verification
from export.tflite.backends import DELEGATE
from export.tflite.file import File
from export.tflite.flatbuffer import read
from export.tflite.interpreter import DelegateRefusalError, run_all
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = ["AGREEMENT", "KIND_IMAGES", "TOLERANCE", "Verification", "verify"]

TOLERANCE = 1e-3  # of the outputs' spread
# Some backends are slow on x86.
BACKEND_IMAGES = 16


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
    """Runs the file with Larq Compute Engine and with the delegate, and compares it with the model.

    A file with binary operators passes only if both agree with the model. The delegate
    (`export.runtime`) runs in LiteRT or TensorFlow Lite. Where it was not compiled, and for files
    that it cannot run, the engine decides alone, and the result says so.

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
    expected = predict_expected(
        model,
        images,
        rounded=rounded,
        labels=labels,
        tolerance=tolerance,
        bounds=bounds,
        source=source,
    )
    taken = converted or model
    layers = LayerComparison(taken, tolerance)
    # An int8 file that is not accurate enough may have a channel that uses up the range.
    squeezed = None if rounded is None else converted or rounded
    got = run_all(file, images)
    values, badness = compare_outputs(expected, got)
    values |= _run_backends(file, expected, got, values, badness)
    shifted = tuple(find_shifted_windows(file, taken))
    wide = tuple(find_wide_kernels(file, taken))
    # Sizes show what both interpreters compute wrongly, or the engine alone.
    values |= {"shifted": shifted, "wide": wide, "wrong_layer": next(iter(shifted + wide), None)}
    engine = _judge(values, badness, file, expected, layers, squeezed)
    if not file.has_binary_operators:
        return engine
    missing = runtime.find_problem()
    if missing is not None:
        return replace(engine, without_delegate=missing)
    try:
        got = run_all(file, images, DELEGATE)
    except DelegateRefusalError as error:
        return replace(engine, refusing={DELEGATE: error.reason, **engine.refusing})
    values, badness = compare_outputs(expected, got)
    values |= {"shifted": shifted, "wrong_layer": next(iter(shifted), None)}
    values["interpreter"] = f"the delegate in {runtime.name_interpreter()}"
    delegate = _judge(values, badness, file, expected, layers, squeezed, DELEGATE)
    # If both are wrong, so is the file, and the delegate differs from none.
    kind = "backends" if delegate.computed == engine.computed else "differing"
    return replace(engine, delegate=delegate, **{kind: (DELEGATE, *getattr(engine, kind))})


def _run_backends(
    file: File, expected: Expected, got: list[np.ndarray], values: dict, badness: np.ndarray
) -> dict:
    """How the backends of the engine run a few images, as attributes of a `Verification`."""
    suspects = find_grossly_different(badness)
    first = range(min(len(badness), BACKEND_IMAGES))
    few = [*suspects, *(i for i in first if i not in suspects)]
    allowed = [output.tolerance for output in values["outputs"]]
    chosen = _choose_images(expected.images, few)
    runs = run_backends(file, chosen, [array[few] for array in got], allowed)
    reference_right = len(suspects) > 0 and are_within(
        runs.reference_outputs, [array[few] for array in expected.values], allowed
    )
    return {
        "backends": runs.backends,
        "refusing": runs.refusing,
        "differing": runs.differing,
        "reference_right": reference_right,
    }


def _choose_images(images: Inputs, numbers: Sequence[int]) -> Inputs:
    return [array[numbers] for array in images] if isinstance(images, list) else images[numbers]


def _judge(
    values: dict,
    badness: np.ndarray,
    file: File,
    expected: Expected,
    layers: LayerComparison,
    squeezed: tf.keras.Model | None,
    backend: str | None = None,
) -> Verification:
    """Judges what an interpreter gave, and compares the layers with it if that is necessary."""
    if values.get("fault") and squeezed is not None:
        found_outlier = find_outlier(squeezed, expected.images)
        values["fault"] += f": {found_outlier}" if found_outlier else ""
    verification = Verification(**values)
    if verification.computed or verification.wrong_layer is not None:
        return verification
    suspects = find_grossly_different(badness)
    return replace(verification, **layers.compare(file, expected.images, suspects, backend))
