"""Does the file compute what the model computes? Image by image, on real images."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.convert import convert
from export.ends import Inputs, as_list
from export.interpreter import run, run_all
from export.latent_scope import restored_scope
from export.segments import ROUNDING, SHARE_WITHIN, first_wrong_layer, share_within
from export.wide_kernels import wide_kernels
from export.windows import moved_windows

__all__ = ["TOLERANCE", "Verification", "verify"]

TOLERANCE = 1e-3  # of the outputs' spread
AGREEMENT = 0.98
# Of the largest output. Where images change less, rounding hides what a wrong layer would change.
LEAST_SPREAD = 20 * ROUNDING


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
        reference: what the file is compared with, in words.
        keras_agreement: share of images with the same top-1 as the model itself, where the file is
            compared with another; None else.
        taken_apart: whether every layer's own step was looked at, since more images differ than
            may.
        wrong_layer: the first layer whose own step is wrong; None where none is, or none was
            looked for.
        not_taken_apart: why no layer could be looked at, in words; None where it could.
        alike_images: whether the images all have the same outputs, but for rounding, so that these
            prove nothing, and every layer's own step has to be looked at.
        moved: layers whose convolution looks through other windows, by sizes alone.
        wide: layers whose binary convolution the engine computes wrongly, by sizes alone.
        kernels: of Larq Compute Engine that can run the file, names as in `export.KERNELS`.
    """

    images: int
    share_within: float
    agreement: float | None
    largest_difference: float
    tolerance: float
    keras_accuracy: float | None = None
    tflite_accuracy: float | None = None
    source: str = "images"
    reference: str = "Keras"
    keras_agreement: float | None = None
    taken_apart: bool = False
    wrong_layer: str | None = None
    not_taken_apart: str | None = None
    alike_images: bool = False
    moved: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()

    @property
    def alike(self) -> bool:
        """At least 75 % of the images within the tolerance, and 98 % with the same top-1."""
        agreed = self.agreement is None or self.agreement >= AGREEMENT
        return self.share_within >= SHARE_WITHIN and agreed

    @property
    def passed(self) -> bool:
        """Whether the outputs are alike, or what differs are signs within rounding of 0."""
        proved = self.alike and not self.alike_images
        return (proved or self.taken_apart) and self.wrong_layer is None

    @property
    def outcome(self) -> str:
        """Whether it passed, and how, in words."""
        if not self.passed:
            return "FAILED"
        return "passed, layer by layer" if self.taken_apart else "passed"

    @property
    def note(self) -> str | None:
        """What looking at each layer said, in words; None where there was no need to."""
        if self.wrong_layer is not None:
            return f"first wrong layer: {self.wrong_layer}"
        if self.taken_apart and self.alike_images:
            return (
                "the model gives the same for all of these images, so every layer's own step was "
                "looked at: each is right"
            )
        if self.taken_apart:
            return (
                "every layer's own step is right: what differs are signs of values within rounding "
                "of 0"
            )
        if self.not_taken_apart is None:
            return None
        if self.alike_images:
            return (
                "nothing is proved: the model gives the same for all of these images, and "
                f"{self.not_taken_apart} The data set that it is for may show more"
            )
        return f"first wrong layer: not known, {self.not_taken_apart}"

    def __str__(self) -> str:
        lines = [
            f"Verification on {self.images} {self.source}: {self.outcome}",
            f"  within {self.tolerance:.1e} of {self.reference}: {self.share_within:.1%} "
            f"({SHARE_WITHIN:.0%} are enough)",
            f"  largest difference: {self.largest_difference:.1e}",
        ]
        if self.agreement is not None:
            lines.insert(2, f"  same top-1: {self.agreement:.1%} ({AGREEMENT:.0%} are enough)")
        if self.keras_agreement is not None:
            lines.insert(3, f"  same top-1 as Keras itself: {self.keras_agreement:.1%}")
        if self.note is not None:
            lines.append(f"  {self.note}")
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

    Convolutions that look through other windows than the model's are found by sizes, see
    `export.windows`, and so are those that the engine computes wrongly, see `export.wide_kernels`.
    Where too many images differ, or all give the same, the model is taken apart
    to find the first layer that is wrong, see `export.segments`.

    Args:
        flatbuffer: the TFLite file that `export.convert` made of the model.
        model: the model.
        images: (count, height, width, channels), of the type that the model takes.
        labels: int (count,), the true classes, if they are known.
        source: what the images are, in words, for the report.
        tolerance: in parts of the outputs' spread, the largest distance of one from its mean over
            the images; of the largest output, if there is one image.
        rounded: the model with its activations rounded to int8, where the file is in int8 by
            intention: its outputs are what the file's are compared with.
        parts: the model to take apart, if it is another one that was converted.

    Returns:
        The comparison. Outputs that are not finite count as different.

    Raises:
        ValueError: there are no images, not as many labels, or the file cannot be run.
    """
    count = len(as_list(images)[0])
    if not count or (labels is not None and len(labels) != count):
        raise ValueError(
            f"`images` must be one or more, with a label each, got {count} images and "
            f"{count if labels is None else len(labels)} labels."
        )
    every = tf.nest.flatten((rounded or model).predict(images, verbose=0))
    found = [run(flatbuffer, images)] if len(every) == 1 else run_all(flatbuffer, images)
    compared = [_compared(*pair, tolerance) for pair in zip(found, every, strict=True)]
    values = {
        "images": count,
        "agreement": None,
        "source": source,
        **min(compared, key=lambda values: values["share_within"]),
        "alike_images": any(values["alike_images"] for values in compared),
    }
    got, expected = found[0], every[0]
    outputs = expected
    if rounded is not None:
        outputs = tf.nest.flatten(model.predict(images, verbose=0))[0]
    if rounded is not None:
        values["reference"] = "Keras with activations rounded to int8"
    if expected.ndim == 2 and expected.shape == got.shape and expected.shape[1] > 1:
        same = got.argmax(axis=1) == expected.argmax(axis=1)
        values["agreement"] = float(np.mean(same & np.isfinite(got - expected).all(axis=1)))
        if rounded is not None:
            values["keras_agreement"] = float(np.mean(got.argmax(axis=1) == outputs.argmax(axis=1)))
        if labels is not None:
            values["tflite_accuracy"] = float(np.mean(got.argmax(axis=1) == labels))
            values["keras_accuracy"] = float(np.mean(outputs.argmax(axis=1) == labels))
    moved = moved_windows(flatbuffer, parts or model)
    wide = wide_kernels(flatbuffer, parts or model)
    if moved or wide:
        wrong = (moved or wide)[0]
        return Verification(**values, wrong_layer=wrong, moved=tuple(moved), wide=tuple(wide))
    verification = Verification(**values)
    if verification.passed:
        return verification
    return Verification(**values, **_taken_apart(parts or model, images, found, tolerance))


def _compared(got: np.ndarray, expected: np.ndarray, tolerance: float) -> dict:
    largest = float(np.abs(expected).max(initial=0))
    spread = _spread(expected)
    allowed = max(tolerance * spread, ROUNDING * largest)
    return {
        "share_within": share_within(got, expected, allowed),
        "largest_difference": _largest_difference(got, expected),
        "tolerance": allowed,
        "alike_images": spread <= LEAST_SPREAD * largest,
    }


def _spread(outputs: np.ndarray) -> float:
    """How far an output lies from its mean over the images at most."""
    mean = outputs.mean(axis=0) if len(outputs) > 1 else 0
    return float(np.abs(outputs - mean).max(initial=0))


def _largest_difference(got: np.ndarray, expected: np.ndarray) -> float:
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got - expected).max())


def _taken_apart(
    model: tf.keras.Model, images: Inputs, outputs: list[np.ndarray], tolerance: float
) -> dict:
    """What looking at each layer says, as attributes of a `Verification`."""

    def run_part(part: tf.keras.Model, values: Inputs) -> list[np.ndarray]:
        return run_all(convert(part), values)

    try:
        wrong = first_wrong_layer(model, images, run_part, tolerance, outputs)
    except ValueError as error:
        return {"not_taken_apart": str(error)}
    return {"taken_apart": True, "wrong_layer": wrong}
