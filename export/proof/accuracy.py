"""Whether a file is accurate enough: one that computes what it should may still be useless."""

from dataclasses import dataclass

import numpy as np

from export.proof.output_comparison import (
    UNLIKELY,
    compute_chance_of_at_most,
    find_lost_classes,
    is_at_chance,
    measure_loss,
)

__all__ = ["Bounds", "Predictions", "find_fault"]

# Of the images. What int8 costs a trained network is less (0 to 1 % of CIFAR-10 on a ResNet-20);
# signs that turn take from some images what they give to others.
MAX_DROP = 0.02
# Of a file in int8 with the network itself. A ResNet-20 all in int8 kept the class of 88 % of
# 1,000 images without a loss of accuracy; of a class, or with few images, it may be less.
SAME_CLASS = 0.75
SAME_OF_A_CLASS = 0.5
DO_NOT_CHECK = "`check_accuracy=False` (`--no-check_accuracy`) exports it all the same"


@dataclass(frozen=True)
class Bounds:
    """How accurate a file has to be.

    Attributes:
        max_drop: the share of images, from 0 to 1, that it may lose of the network's top-1, as
            measured; None means 0.02 beyond two standard errors of what is measured, so that a
            few test images do not fail by noise.
        min_accuracy: the least top-1 of the file, from 0 to 1, as measured; None means that it
            only has to be better than chance.

    Raises:
        ValueError: one is not from 0 to 1.
    """

    max_drop: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self):
        for name in ("max_drop", "min_accuracy"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"`{name}` must be from 0 to 1, got {value}.")


@dataclass(frozen=True)
class Predictions:
    """The top-1 classes of images.

    Attributes:
        model: int (images,), of the network itself.
        file: int (images,), of the file.
        labels: int (images,), the true ones; None where they are unknown.
    """

    model: np.ndarray
    file: np.ndarray
    labels: np.ndarray | None


def find_fault(predictions: Predictions, bounds: Bounds, int8: bool) -> str | None:
    """What is wrong with the classes that a file gives, in words.

    Args:
        predictions: of the network and of the file.
        bounds: what the file has to reach.
        int8: whether the file rounds activations, so that its classes were compared with those of
            a network that does so too, and have yet to be compared with the network's own.

    Returns:
        The fault and a way out; None where there is none.
    """
    if predictions.labels is not None:
        found = _compare_with_labels(predictions, predictions.labels, bounds)
        if found is not None:
            return found
    return _compare_with_network(predictions) if int8 else None


def _compare_with_labels(
    predictions: Predictions, labels: np.ndarray, bounds: Bounds
) -> str | None:
    count = len(labels)
    model_right, file_right = predictions.model == labels, predictions.file == labels
    least = bounds.min_accuracy
    if is_at_chance(predictions.model, labels):
        given = np.unique(predictions.model)
        what = (
            f"gives class {given[0]} for all {count:,} labelled images"
            if len(given) == 1
            else f"is right in {model_right.sum():,} of {count:,} labelled images, no more than "
            "chance"
        )
        return (
            f"the network itself {what}: it is untrained, or was trained on images that are "
            "normalised in another way (`mean`, `std`, `scale`; `scale` 1 alone for pixels from 0 "
            "to 255), or its classes are in another order than those of the images (`labels`). "
            f"{DO_NOT_CHECK}"
        )
    drop, noise = measure_loss(model_right, file_right)
    allowed = MAX_DROP + noise if bounds.max_drop is None else bounds.max_drop
    if drop > allowed:
        return (
            f"top-1 accuracy falls from {model_right.mean():.1%} to {file_right.mean():.1%}, by "
            f"more than `max_drop` {allowed:.1%} allows"
        )
    if is_at_chance(predictions.file, labels):
        return f"the file is right in no more images than by chance. {DO_NOT_CHECK}"
    if least is not None and file_right.mean() < least:
        return f"top-1 accuracy is {file_right.mean():.1%}, less than `min_accuracy` {least:.1%}"
    return None


def _compare_with_network(predictions: Predictions) -> str | None:
    same = predictions.model == predictions.file
    if compute_chance_of_at_most(SAME_CLASS, int(same.sum()), len(same)) <= UNLIKELY:
        return (
            f"the file gives the network's class in {same.mean():.1%} of the images, "
            f"{SAME_CLASS:.0%} are enough"
        )
    lost = find_lost_classes(predictions.model, same, SAME_OF_A_CLASS)
    if not lost:
        return None
    kept = [f"{same[predictions.model == label].mean():.0%} of class {label}" for label in lost]
    return f"the file keeps too few images of what the network classifies: {', '.join(kept)}"
