"""Compares the outputs of a file with those of a model, as arrays."""

from dataclasses import dataclass

import numpy as np

from export.keras_graph.differences import compute_differences

__all__ = [
    "ROUNDING",
    "SHARE_WITHIN",
    "UNLIKELY",
    "OutputComparison",
    "compare",
    "compute_chance_of_at_most",
    "find_lost_classes",
    "is_at_chance",
    "measure_loss",
    "measure_spread",
]

# A step that may flip signs by itself is still right on most images.
SHARE_WITHIN = 0.75
# A few roundings of float32.
ROUNDING = 2.0**-20
# As a share of the largest output. Below it, rounding hides what a wrong layer would change.
LEAST_SPREAD = 20 * ROUNDING
# A few images with far larger outputs must not hide differences in the others.
OUTLYING = 10
# As a share of the spread. A flipped sign also moves outputs, but in most networks by less.
GROSS = 0.1
# How improbable a count must be before it counts against a file.
UNLIKELY = 1e-3
# Calling a network no better than chance takes less evidence: a report has to say one or the other.
LIKELY = 0.01
STANDARD_ERRORS = 2.33  # of a normal distribution, of which 1 % lies beyond
LEAST_OTHERS = 5


@dataclass(frozen=True)
class OutputComparison:
    """One output of a file against the model's.

    Attributes:
        name: of the output.
        share_within: share of images whose every number lies within the tolerance.
        largest_difference: of all numbers; infinite where the shapes differ.
        tolerance: the allowed difference, in units of the output.
        gross: number of images that differ by a tenth of the outputs' spread or more.
        constant: whether the output is the same for all images, except for rounding.
        agreement: share of images with the same top-1; None if the output is not classes.
        lost: classes of the model of which the file keeps too few images.
    """

    name: str
    share_within: float
    largest_difference: float
    tolerance: float
    gross: int = 0
    constant: bool = False
    agreement: float | None = None
    lost: tuple[int, ...] = ()


def measure_spread(outputs: np.ndarray) -> float:
    """Measures how far images move an output from its mean; of a single image, from 0.

    The largest distance counts, but at most ten times that of the median image. Otherwise one image
    with far larger outputs would allow any difference in the others.

    Args:
        outputs: (images, ...).
    """
    if len(outputs) < 2:
        return float(np.abs(outputs).max(initial=0))
    largest = float(np.abs(outputs - outputs.mean(axis=0)).max(initial=0))
    # An outlying image moves the mean, which then lies far from all, but not the median.
    center = np.broadcast_to(np.median(outputs, axis=0), outputs.shape)
    usual = float(np.median(compute_differences(outputs, center)))
    return min(largest, OUTLYING * usual) if usual > _compute_least_spread(outputs) else largest


def _compute_least_spread(outputs: np.ndarray) -> float:
    return LEAST_SPREAD * float(np.abs(outputs).max(initial=0))


def is_constant(outputs: np.ndarray) -> bool:
    """Whether images hardly change the outputs, so that comparing them shows nothing."""
    return measure_spread(outputs) <= _compute_least_spread(outputs)


def compare(
    name: str,
    got: np.ndarray,
    expected: np.ndarray,
    *,
    tolerance: float,
    are_classes: bool,
    kept: float,
) -> tuple[OutputComparison, np.ndarray]:
    """Compares one output.

    Args:
        name: of the output.
        got: of the file, (images, ...).
        expected: of the model, (images, ...).
        tolerance: the allowed difference, as a share of the spread, see `measure_spread`.
        are_classes: whether the output holds classes, (images, classes).
        kept: the share of the images of each class that the file has to keep.

    Returns:
        The comparison, and how much each image differs, (images,): 1 or more is gross; infinite
        for the images of a lost class.
    """
    spread = measure_spread(expected)
    rounding = ROUNDING * float(np.abs(expected).max(initial=0))
    allowed = max(tolerance * spread, rounding)
    apart = compute_differences(got, expected)
    # If the tolerance is wide, as in int8, a gross difference lies well beyond it.
    gross = max(GROSS * spread, OUTLYING * allowed, np.finfo(float).tiny)
    badness = apart / gross
    agreement, lost = None, ()
    if are_classes and got.shape == expected.shape:
        expected_classes = expected.argmax(axis=1)
        same = (got.argmax(axis=1) == expected_classes) & np.isfinite(apart)
        agreement = float(same.mean())
        lost = find_lost_classes(expected_classes, same, kept)
        badness = np.where(np.isin(expected_classes, lost) & ~same, np.inf, badness)
    comparison = OutputComparison(
        name,
        float(np.mean(apart <= allowed)),
        float(apart.max(initial=0)),
        allowed,
        int((apart >= gross).sum()),
        is_constant(expected),
        agreement,
        lost,
    )
    return comparison, badness


def compute_chance_of_at_most(share: float, count: int, of: int) -> float:
    """Computes the probability of a count or a smaller one in a binomial distribution.

    Args:
        share: the probability, from 0 to 1.
        count: what was counted.
        of: how many there are.

    Returns:
        The sum of the binomial distribution up to `count`.
    """
    if share in (0, 1):
        return float(share == 0 or count >= of)
    counts = np.arange(1, min(count, of) + 1)
    # Logarithms: the ways to choose 1,000 of 2,000 are more than a float64 can hold.
    ways = np.concatenate([[0], np.cumsum(np.log((of - counts + 1) / counts))])
    counts = np.concatenate([[0], counts])
    logs = ways + counts * np.log(share) + (of - counts) * np.log1p(-share)
    return float(min(np.exp(logs).sum(), 1))


def find_lost_classes(classes: np.ndarray, same: np.ndarray, kept: float) -> tuple[int, ...]:
    """Finds the classes of which too few images keep their class.

    A class is lost if a file that keeps the share `kept` of its images would keep this few in less
    than one case in a thousand. So losing both images of a class of two is no evidence, and losing
    all images of a class of three is.

    Args:
        classes: int (images,), as the model predicts them.
        same: bool (images,), whether the file predicts the same.
        kept: the share that the file has to keep, from 0 to 1.
    """
    found = []
    for number in np.unique(classes):
        of_class = same[classes == number]
        chance = compute_chance_of_at_most(kept, int(of_class.sum()), len(of_class))
        # To lose 3 of 3, of which 0.9 are to be kept, has the chance 0.001, in float64 a hair more.
        if chance <= UNLIKELY * (1 + ROUNDING):
            found.append(int(number))
    return tuple(found)


def measure_loss(model_right: np.ndarray, file_right: np.ndarray) -> tuple[float, float]:
    """Measures how much accuracy a file loses on the same images, and how much may be noise.

    Args:
        model_right: bool (images,), of the model.
        file_right: bool (images,), of the file.

    Returns:
        The net loss of accuracy (a gain is negative), and two standard errors of it, from the
        images that only one of the two gets right.
    """
    count = len(model_right)
    only_one = int((model_right != file_right).sum())
    return float(model_right.mean() - file_right.mean()), 2 * only_one**0.5 / count


def is_at_chance(classes: np.ndarray, labels: np.ndarray) -> bool:
    """Whether classes are no better than a guess, as far as the images can show.

    Two conditions must hold. The classes are right no more often than the same classes assigned to
    the images at random (a permutation test at 1 %). And a network halfway between that and no
    mistakes would be right this rarely in less than 1 % of cases; with few images this does not
    hold, and nothing is claimed. Nothing is claimed either if fewer than five images have another
    label than the most frequent one: a correct network and one that always returns that label then
    look the same.

    Args:
        classes: int (images,), as a network predicts them.
        labels: int (images,), the true classes.
    """
    count = len(labels)
    width = int(max(classes.max(), labels.max())) + 1
    given, true = (
        np.bincount(numbers, minlength=width).astype(float) for numbers in (classes, labels)
    )
    if count - true.max() < LEAST_OTHERS:
        return False
    right = int((classes == labels).sum())
    both = (given * true).sum()
    by_chance = both / count
    variance = both - (given * true * (given + true)).sum() / count + by_chance**2
    deviation = (max(variance, 0.0) / (count - 1)) ** 0.5
    if right > by_chance + STANDARD_ERRORS * deviation:
        return False
    halfway = (by_chance / count + 1) / 2
    return compute_chance_of_at_most(halfway, right, count) < LIKELY
