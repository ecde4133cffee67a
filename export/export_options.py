"""The options of an export."""

from dataclasses import dataclass

from export.conversion.converter import check_file
from export.proof.accuracy import Bounds

__all__ = ["DEFAULTS", "Options"]


@dataclass(frozen=True)
class Options:
    """The options of an export.

    Attributes:
        batch_size: images that the file takes at a time.
        uint8: whether the file takes pixels from 0 to 255 and normalises them itself.
        softmax: whether the file gives probabilities instead of logits.
        int8: whether layers that are not binary are in int8.
        target: "arm" or "xcore".
        strict: whether the export fails if a layer that should be binary is not, or if the engine's
            default backend refuses to run the file; None means yes for networks trained or imported
            here, and no for others.
        max_drop: how far the file's top-1 may fall below the network's, from 0 to 1; None means
            0.02 beyond the noise of the images at hand, see `export.proof.accuracy.Bounds`.
        min_accuracy: the least top-1 of the file, from 0 to 1; None means better than chance.
        check_accuracy: whether the export fails if the file classifies no better than chance, loses
            accuracy, or, in int8, gives other classes than the network.

    Raises:
        ValueError: a value that cannot be right, or limits of an accuracy that is not checked.
    """

    batch_size: int = 1
    uint8: bool = False
    softmax: bool = False
    int8: bool = False
    target: str = "arm"
    strict: bool | None = None
    max_drop: float | None = None
    min_accuracy: float | None = None
    check_accuracy: bool = True

    def __post_init__(self):
        check_file(self.batch_size, self.target)
        bounds = Bounds(self.max_drop, self.min_accuracy)
        if not self.check_accuracy and bounds != Bounds():
            raise ValueError(
                "`max_drop` and `min_accuracy` need `check_accuracy`: without it, no accuracy is "
                "checked."
            )

    @property
    def bounds(self) -> Bounds | None:
        """How accurate the file has to be; None if that is not checked."""
        return Bounds(self.max_drop, self.min_accuracy) if self.check_accuracy else None


DEFAULTS = Options()
