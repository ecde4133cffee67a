"""What an exported file should be."""

from dataclasses import dataclass

from export.conversion.converter import check_file
from export.proof.accuracy import Bounds

__all__ = ["DEFAULTS", "Options"]


@dataclass(frozen=True)
class Options:
    """What the file should be.

    Attributes:
        batch_size: images that it takes at a time.
        uint8: whether it takes pixels from 0 to 255 and normalises them itself.
        softmax: whether it gives probabilities for logits.
        int8: whether what is not binary is in int8.
        target: "arm" or "xcore".
        strict: whether a layer that should be binary and is not fails the export; None means for
            networks trained or imported here. So does a file that the engine's default backend
            refuses to run.
        max_drop: the share of images that the file may lose of the network's top-1, from 0 to 1;
            None means 0.02 beyond the noise of the images at hand, see
            `export.proof.accuracy.Bounds`.
        min_accuracy: the least top-1 of the file, from 0 to 1; None means better than chance.
        check_accuracy: whether a file fails whose classes are right no more often than by chance,
            that loses accuracy, or that in int8 gives other classes than the network.
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
                "`max_drop` and `min_accuracy` need `check_accuracy`, without which none is judged."
            )

    @property
    def bounds(self) -> Bounds | None:
        """How accurate the file has to be; None where that is not judged."""
        return Bounds(self.max_drop, self.min_accuracy) if self.check_accuracy else None


DEFAULTS = Options()
