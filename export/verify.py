"""Does the file compute what the model computes? Image by image, on real images."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from export.rounding import predict_with_rounding

__all__ = ["Verification", "verify"]

TOLERANCE = 1e-3  # of the larger of 1 and the largest logit
SHARE_WITHIN = 0.75
AGREEMENT = 0.98
# Where rounding alone moves many images: it has to leave some, or nothing can be told; half of
# these must be within the tolerance, and the top-1 agree almost as often.
LEAST_ROUNDING_SHARE = 0.1
ROUNDING_SHARE = 0.5
ROUNDING_AGREEMENT = 0.1


@dataclass(frozen=True)
class Verification:
    """How the outputs of a TFLite file and of the Keras model compare.

    Attributes:
        images: number of images compared.
        share_within: share of images whose every logit lies within the tolerance. A value that
            lies within rounding of 0 before a sign can flip, and a flip changes all behind it;
            so a few images may differ, while a miscompilation shows in every one.
        agreement: share of images with the same top-1.
        largest_difference: of all logits.
        tolerance: the allowed difference, in units of the logits.
        keras_accuracy: top-1 of the Keras model, from 0 to 1; None where labels are unknown.
        tflite_accuracy: top-1 of the file, from 0 to 1; None where labels are unknown.
        source: what the images are, in words.
        rounding_share: share of images that Keras itself keeps within the tolerance when its sums
            are rounded as the engine's; None where the first criterion was met without.
        rounding_agreement: share of images whose top-1 it keeps then.
    """

    images: int
    share_within: float
    agreement: float
    largest_difference: float
    tolerance: float
    keras_accuracy: float | None
    tflite_accuracy: float | None
    source: str = "images"
    rounding_share: float | None = None
    rounding_agreement: float | None = None

    @property
    def passed(self) -> bool:
        """At least 75 % of the images within the tolerance and 98 % with the same top-1.

        Or, in a network that rounding alone moves further, nearly as many as that leaves: half of
        the images within the tolerance, the top-1 in all but 10 % of the images more.
        """
        if self.share_within >= SHARE_WITHIN and self.agreement >= AGREEMENT:
            return True
        return (
            self.rounding_share is not None
            and self.rounding_share >= LEAST_ROUNDING_SHARE
            and self.share_within >= ROUNDING_SHARE * self.rounding_share
            and self.agreement >= self.rounding_agreement - ROUNDING_AGREEMENT
        )

    def __str__(self) -> str:
        lines = [
            f"Verification on {self.images} {self.source}: {'passed' if self.passed else 'FAILED'}",
            f"  within {self.tolerance:.1e} of Keras: {self.share_within:.1%} "
            f"(at least {SHARE_WITHIN:.0%})",
            f"  same top-1: {self.agreement:.1%} (at least {AGREEMENT:.0%})",
            f"  largest difference: {self.largest_difference:.1e}",
        ]
        if self.rounding_share is not None:
            lines.append(
                f"  rounding alone leaves {self.rounding_share:.1%} within, "
                f"{self.rounding_agreement:.1%} with the same top-1"
            )
        if self.keras_accuracy is not None:
            lines.append(
                f"  top-1 accuracy: Keras {self.keras_accuracy:.2%}, "
                f"TFLite {self.tflite_accuracy:.2%}"
            )
        return "\n".join(lines)


def verify(
    flatbuffer: bytes,
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    source: str = "images",
) -> Verification:
    """Runs the file with the Larq Compute Engine interpreter and compares it with the model.

    Args:
        flatbuffer: the TFLite file that `export.convert` made of the model.
        model: the model, from images to logits.
        images: float32 (count, height, width, channels), normalised.
        labels: int (count,), the true classes, if they are known.
        source: what the images are, in words, for the report.

    Returns:
        The comparison. Outputs that are not finite count as different.

    Raises:
        ValueError: there are no images, or not as many labels.
    """
    count = len(images) if labels is None else len(labels)
    if not len(images) or len(images) != count:
        raise ValueError(
            f"`images` must be one or more, with a label each, got {len(images)} images and "
            f"{count} labels."
        )
    expected = model.predict(images, verbose=0)
    got = Interpreter(flatbuffer).predict(images)
    tolerance = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    differences = np.abs(got - expected).max(axis=1)
    classes, expected_classes = got.argmax(axis=1), expected.argmax(axis=1)
    share_within = float(np.mean(differences <= tolerance))
    agreement = float(np.mean((classes == expected_classes) & np.isfinite(differences)))
    rounding = {}
    if share_within < SHARE_WITHIN or agreement < AGREEMENT:
        rounded = predict_with_rounding(model, images)
        within = np.abs(rounded - expected).max(axis=1) <= tolerance
        rounding = {
            "rounding_share": float(np.mean(within)),
            "rounding_agreement": float(np.mean(rounded.argmax(axis=1) == expected_classes)),
        }
    return Verification(
        images=len(images),
        share_within=share_within,
        agreement=agreement,
        largest_difference=float(differences.max()),
        tolerance=tolerance,
        keras_accuracy=None if labels is None else float(np.mean(expected_classes == labels)),
        tflite_accuracy=None if labels is None else float(np.mean(classes == labels)),
        source=source,
        **rounding,
    )
