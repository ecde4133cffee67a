"""Does the file compute what the model computes? Image by image, on real images."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.convert import convert
from export.interpreter import run, run_all
from export.latent_scope import restored_scope
from export.segments import SHARE_WITHIN, first_wrong_layer, share_within

__all__ = ["TOLERANCE", "Verification", "verify"]

TOLERANCE = 1e-3  # of the largest output
AGREEMENT = 0.98


@dataclass(frozen=True)
class Verification:
    """How the outputs of a TFLite file and of the Keras model compare.

    Attributes:
        images: number of images compared.
        share_within: share of images whose every output lies within the tolerance. A value that
            lies within rounding of 0 before a sign can flip, and a flip changes all behind it;
            so a few images may differ, while a miscompilation shows in every one.
        agreement: share of images with the same top-1; None where the outputs are no classes.
        largest_difference: of all outputs.
        tolerance: the allowed difference, in units of the outputs.
        keras_accuracy: top-1 of the Keras model, from 0 to 1; None where labels are unknown.
        tflite_accuracy: top-1 of the file, from 0 to 1; None where labels are unknown.
        source: what the images are, in words.
        taken_apart: whether every layer's own step was looked at, since more images differ than
            may.
        wrong_layer: the first layer whose own step is wrong; None where none is, or none was
            looked for.
        not_taken_apart: why no layer could be looked at, in words; None where it could.
    """

    images: int
    share_within: float
    agreement: float | None
    largest_difference: float
    tolerance: float
    keras_accuracy: float | None = None
    tflite_accuracy: float | None = None
    source: str = "images"
    taken_apart: bool = False
    wrong_layer: str | None = None
    not_taken_apart: str | None = None

    @property
    def alike(self) -> bool:
        """At least 75 % of the images within the tolerance, and 98 % with the same top-1."""
        agreed = self.agreement is None or self.agreement >= AGREEMENT
        return self.share_within >= SHARE_WITHIN and agreed

    @property
    def passed(self) -> bool:
        """Whether the outputs are alike, or what differs are signs within rounding of 0."""
        return self.alike or (self.taken_apart and self.wrong_layer is None)

    def __str__(self) -> str:
        lines = [
            f"Verification on {self.images} {self.source}: {'passed' if self.passed else 'FAILED'}",
            f"  within {self.tolerance:.1e} of Keras: {self.share_within:.1%} "
            f"(at least {SHARE_WITHIN:.0%})",
            f"  largest difference: {self.largest_difference:.1e}",
        ]
        if self.agreement is not None:
            lines.insert(2, f"  same top-1: {self.agreement:.1%} (at least {AGREEMENT:.0%})")
        if self.wrong_layer is not None:
            lines.append(f"  first wrong layer: {self.wrong_layer}")
        elif self.taken_apart:
            lines.append(
                "  every layer's own step is right: what differs are signs of values within "
                "rounding of 0"
            )
        elif self.not_taken_apart is not None:
            lines.append(f"  first wrong layer: not known, {self.not_taken_apart}")
        if self.keras_accuracy is not None:
            lines.append(
                f"  top-1 accuracy: Keras {self.keras_accuracy:.2%}, "
                f"TFLite {self.tflite_accuracy:.2%}"
            )
        return "\n".join(lines)


@restored_scope()
def verify(
    flatbuffer: bytes,
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    source: str = "images",
    tolerance: float = TOLERANCE,
    rounded: tf.keras.Model | None = None,
    parts: tf.keras.Model | None = None,
) -> Verification:
    """Runs the file with the Larq Compute Engine interpreter and compares it with the model.

    Where too many images differ, the model is taken apart to find the first layer that is wrong:
    see `export.segments`.

    Args:
        flatbuffer: the TFLite file that `export.convert` made of the model.
        model: the model.
        images: (count, height, width, channels), of the type that the model takes.
        labels: int (count,), the true classes, if they are known.
        source: what the images are, in words, for the report.
        tolerance: in parts of the largest output.
        rounded: the model with its activations rounded to int8, where the file is in int8 by
            intention: its outputs are what the file's are compared with.
        parts: the model to take apart, if it is another one that was converted.

    Returns:
        The comparison. Outputs that are not finite count as different.

    Raises:
        ValueError: there are no images, not as many labels, or the file cannot be run.
    """
    count = len(images) if labels is None else len(labels)
    if not len(images) or len(images) != count:
        raise ValueError(
            f"`images` must be one or more, with a label each, got {len(images)} images and "
            f"{count} labels."
        )
    outputs = model.predict(images, verbose=0)
    expected = outputs if rounded is None else rounded.predict(images, verbose=0)
    got = run(flatbuffer, images)
    values = {
        "images": len(images),
        "share_within": share_within(got, expected, tolerance),
        "agreement": None,
        "largest_difference": _largest_difference(got, expected),
        "tolerance": float(tolerance * np.abs(expected).max(initial=0)),
        "source": source,
    }
    if expected.ndim == 2 and expected.shape == got.shape and expected.shape[1] > 1:
        same = got.argmax(axis=1) == expected.argmax(axis=1)
        values["agreement"] = float(np.mean(same & np.isfinite(got - expected).all(axis=1)))
        if labels is not None:
            values["tflite_accuracy"] = float(np.mean(got.argmax(axis=1) == labels))
            values["keras_accuracy"] = float(np.mean(outputs.argmax(axis=1) == labels))
    verification = Verification(**values)
    if verification.alike:
        return verification
    return Verification(**values, **_taken_apart(parts or model, images, got, tolerance))


def _largest_difference(got: np.ndarray, expected: np.ndarray) -> float:
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got - expected).max())


def _taken_apart(
    model: tf.keras.Model, images: np.ndarray, outputs: np.ndarray, tolerance: float
) -> dict:
    """What looking at each layer says, as attributes of a `Verification`."""

    def run_part(part: tf.keras.Model, values: np.ndarray) -> list[np.ndarray]:
        return run_all(convert(part), values)

    try:
        wrong = first_wrong_layer(model, images, run_part, tolerance, outputs)
    except ValueError as error:
        return {"not_taken_apart": str(error)}
    return {"taken_apart": True, "wrong_layer": wrong}
