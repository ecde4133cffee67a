"""The result of comparing a file with its model, and whether the file passes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from export.proof.backend_agreement import DEFAULT
from export.proof.output_comparison import SHARE_WITHIN, OutputComparison
from export.tflite.backends import DELEGATE
from recu_tf.messages import format_count

__all__ = ["AGREEMENT", "Verification"]

AGREEMENT = 0.98
ENGINE = "Larq Compute Engine"


@dataclass(frozen=True)
class Verification:
    """How the outputs of a TFLite file and of the Keras model compare.

    The numbers are Larq Compute Engine's; `delegate` has those of the delegate. If there are
    several outputs, they are those of the worst one, and classes are those of the first output that
    has classes.

    Attributes:
        images: number of images compared.
        share_within: share of images with every output within the tolerance. A value within
            rounding of 0 can change its sign, and every layer behind it follows. So a few images
            may differ, while a miscompilation shows in every image.
        agreement: share of images with the same top-1; None if the outputs are not classes.
        largest_difference: of all outputs.
        tolerance: the allowed difference, in units of the outputs.
        keras_accuracy: top-1 of the Keras model, from 0 to 1; None if labels are unknown.
        tflite_accuracy: top-1 of the file, from 0 to 1; None if labels are unknown.
        source: what the images are, in words.
        reference: what the file is compared with, in words.
        keras_agreement: share of images with the same top-1 as the model itself, if the file is
            compared with a rounded model; None otherwise.
        taken_apart: whether every layer was compared by itself, because too many images differ.
        wrong_layer: the first layer that is wrong by itself; None if there is none, or the layers
            were not compared.
        not_taken_apart: why the layers could not be compared, in words; None if they could.
        alike_images: whether some output is the same for all images, except for rounding. Comparing
            the images then shows nothing, and each layer has to be compared by itself.
        shifted: layers whose convolution reads other windows, found by sizes.
        wide: layers whose binary convolution the engine computes wrongly, found by sizes.
        outputs: the comparison of each output.
        gross: how many images differ grossly: by a tenth of the outputs' spread or more.
        lost: classes of the model of which the file keeps too few images.
        fault: why the file is not accurate enough, although it may be computed correctly, in words;
            None if it is accurate enough, or accuracy is not judged.
        backends: "delegate", and the names of `export.BACKENDS`, that run the file with equal
            outputs.
        refusing: the backends that cannot run it, and why; "delegate" may be one.
        differing: the backends that run it with other outputs; "delegate" may be one.
        reference_right: whether the engine's reference backend agrees with the model on images that
            the verified backend gets wrong.
        interpreter: that gave the outputs, in words.
        delegate: the same comparison with the delegate; None if it did not run the file.
        without_delegate: why the delegate was not tried, and how to get it; None if it was, and for
            files without binary operators, which need none.
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
    shifted: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    outputs: tuple[OutputComparison, ...] = ()
    gross: int = 0
    lost: tuple[int, ...] = ()
    fault: str | None = None
    backends: tuple[str, ...] = ()
    refusing: Mapping[str, str] = field(default_factory=dict)
    differing: tuple[str, ...] = ()
    reference_right: bool = False
    interpreter: str = ENGINE
    delegate: "Verification | None" = None
    without_delegate: str | None = None

    @property
    def alike(self) -> bool:
        """At least 75 % of the images within the tolerance, and 98 % with the same top-1.

        Also, no image may differ grossly, and no class may be lost.
        """
        agreed = self.agreement is None or self.agreement >= AGREEMENT
        return self.share_within >= SHARE_WITHIN and agreed and not self.gross and not self.lost

    @property
    def computed(self) -> bool:
        """Whether the outputs agree, or differ only by signs of values within rounding of 0."""
        outputs_suffice = self.alike and not self.alike_images
        return (outputs_suffice or self.taken_apart) and self.wrong_layer is None

    @property
    def passed(self) -> bool:
        """Whether the file is correct and accurate enough.

        It has to be so with the engine, its default backend too, and with the delegate if that ran.
        """
        own = self.computed and self.fault is None and DEFAULT not in self.differing
        return own and (self.delegate is None or self.delegate.passed)

    @property
    def interpreters(self) -> tuple[str, ...]:
        """The interpreters that ran the file, in words."""
        return (self.interpreter, *(self.delegate.interpreters if self.delegate else ()))

    @property
    def runs_by_default(self) -> bool:
        """Whether the engine's default backend, which C++ programs use, can run the file."""
        return DEFAULT not in self.refusing

    @property
    def outcome(self) -> str:
        """Whether it passed, and how, in words."""
        if not self.passed:
            return "FAILED"
        apart = self.taken_apart or (self.delegate is not None and self.delegate.taken_apart)
        return "passed, layer by layer" if apart else "passed"

    @property
    def note(self) -> str | None:
        """The result of comparing each layer, in words; None if that was not necessary."""
        if self.wrong_layer is not None:
            return f"first wrong layer: {self.wrong_layer}"
        if self.taken_apart and self.alike_images:
            return (
                "the model's outputs are the same for all of these images, so every layer was "
                "compared by itself: each is right"
            )
        if self.taken_apart:
            return (
                "every layer is right by itself: the differences come from signs of values within "
                "rounding of 0"
            )
        if self.not_taken_apart is None:
            return None
        if self.alike_images:
            return (
                "nothing is verified: the model's outputs are the same for all of these images, "
                f"and {self.not_taken_apart} Images of the network's own data set may show more"
            )
        return f"first wrong layer: not known, {self.not_taken_apart}"

    @property
    def runnable(self) -> str | None:
        """Which backends run the file, in words; None if they were not tried."""
        if not (self.backends or self.refusing or self.differing):
            return None
        clauses = [", ".join(self.backends) or "none"]
        clauses += [f"{name} refuses it: {why}" for name, why in self.refusing.items()]
        clauses += [f"{name} gives other results" for name in self.differing]
        return "; ".join(clauses)

    @property
    def warning(self) -> str | None:
        """What to know before the file is used on a phone, in words; None if nothing."""
        warnings = []
        able = ", ".join(self.backends) or "none"
        if not self.runs_by_default:
            warnings.append(
                "WARNING: the engine's default backend, which C++ programs and Android take, "
                f"cannot run this file ({self.refusing[DEFAULT]}). Backends that can: {able}"
            )
        if DELEGATE in self.refusing:
            warnings.append(
                "WARNING: the delegate cannot run this file, so that LiteRT and TensorFlow Lite "
                f"cannot either ({self.refusing[DELEGATE]}). Backends that can: {able}"
            )
        return ". ".join(warnings) or None

    @property
    def summary(self) -> str:
        """The outcome and the numbers of one interpreter, in words."""
        values = [f"{self.share_within:.1%} within {self.tolerance:.1e}"]
        if self.agreement is not None:
            values.append(f"same top-1 {self.agreement:.1%}")
        if self.tflite_accuracy is not None:
            values.append(f"top-1 accuracy {self.tflite_accuracy:.2%}")
        values.append(f"largest difference {self.largest_difference:.1e}")
        notes = [note for note in (self.fault, self.note) if note is not None]
        return "; ".join([f"{self.outcome}, {', '.join(values)}", *notes])

    def __str__(self) -> str:
        verb = "verified" if self.passed else "compared"
        lines = [
            f"Verification on {self.images} {self.source}: {self.outcome}",
            f"  {verb} with {' and '.join(self.interpreters)}",
            f"  within {self.tolerance:.1e} of {self.reference}: {self.share_within:.1%} "
            f"({SHARE_WITHIN:.0%} are enough)",
            f"  largest difference: {self.largest_difference:.1e}",
        ]
        if self.agreement is not None:
            lines.insert(3, f"  same top-1: {self.agreement:.1%} ({AGREEMENT:.0%} are enough)")
        if self.keras_agreement is not None:
            lines.insert(4, f"  same top-1 as Keras itself: {self.keras_agreement:.1%}")
        if self.gross:
            lines.append(f"  grossly different: {format_count(self.gross, 'image')}")
        if self.lost:
            lines.append(f"  classes that the file loses: {', '.join(map(str, self.lost))}")
        if len(self.outputs) > 1:
            lines += [
                f"  {output.name}: {output.share_within:.1%} within {output.tolerance:.1e}"
                for output in self.outputs
            ]
        if self.keras_accuracy is not None:
            lines.append(
                f"  top-1 accuracy: Keras {self.keras_accuracy:.2%}, "
                f"TFLite {self.tflite_accuracy:.2%}"
            )
        if self.delegate is not None:
            lines.append(f"  with {self.delegate.interpreter}: {self.delegate.summary}")
        if self.without_delegate is not None:
            lines.append(f"  the delegate did not run: {self.without_delegate}")
        if self.runnable is not None:
            lines.append(f"  backends that run it: {self.runnable}")
        if self.warning is not None:
            lines.insert(1, f"  {self.warning}")
        if self.note is not None:
            lines.append(f"  {self.note}")
        return "\n".join(lines)
