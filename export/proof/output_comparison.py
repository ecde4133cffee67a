"""How the outputs of a file and those of a model compare: numbers alone, no network."""

from dataclasses import dataclass

import numpy as np

from export.keras_graph.differences import compute_differences

__all__ = [
    "ROUNDING",
    "SHARE_WITHIN",
    "OutputComparison",
    "compare",
    "compute_chance_of_fewer",
    "find_lost_classes",
    "is_at_chance",
    "measure_loss",
]

# A step that may turn signs of its own is right on most images all the same.
SHARE_WITHIN = 0.75
# A few roundings of float32.
ROUNDING = 2.0**-20
# Of the largest output. Where images change less, rounding hides what a wrong layer would change.
LEAST_SPREAD = 20 * ROUNDING
# A few images that reach further than the others may not hide what happens to those.
OUTLYING = 10
# Of the spread. A sign that turns moves outputs too, but in most networks by less.
GROSS = 0.1
# How unlikely what was counted must be before it counts against a file.
UNLIKELY = 1e-3
# To call a network no better than chance takes less evidence, as a report has to say either.
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
        gross: how many images differ by a tenth of the outputs' spread or more.
        constant: whether all images have the same, but for rounding.
        agreement: share of images with the same top-1; None where the output is no classes.
        lost: classes of the model's of which the file keeps too few images.
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
    """How far images move an output from its mean; of a single image, how far it is from 0.

    It is the largest distance of all, but no more than ten times that of the median image: else
    one image with outputs of another order would let the others differ as they like.

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
        are_classes: whether it is of classes, (images, classes).
        kept: the share of the images of a class that the file has to keep.

    Returns:
        The comparison, and how badly each image differs, (images,): from 1 on, grossly; infinite
        for those of a class that is lost.
    """
    spread = measure_spread(expected)
    rounding = ROUNDING * float(np.abs(expected).max(initial=0))
    allowed = max(tolerance * spread, rounding)
    apart = compute_differences(got, expected)
    # Where the tolerance is wide, as in int8, what is gross lies well beyond it.
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


def compute_chance_of_fewer(share: float, count: int, of: int) -> float:
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
        classes: int (images,), what the model gives.
        same: bool (images,), whether the file gives the same.
        kept: the share that it has to keep, from 0 to 1.
    """
    found = []
    for number in np.unique(classes):
        of_class = same[classes == number]
        if compute_chance_of_fewer(kept, int(of_class.sum()), len(of_class)) <= UNLIKELY * (
            1 + ROUNDING
        ):
            found.append(int(number))
    return tuple(found)


def measure_loss(model_right: np.ndarray, file_right: np.ndarray) -> tuple[float, float]:
    """How much accuracy a file loses on the same images, and how much of it may be noise.

    Args:
        model_right: bool (images,), of the model.
        file_right: bool (images,), of the file.

    Returns:
        The share of images lost (negative if more are won than lost), and two standard errors of
        it, which come from the images that only one of them gets right.
    """
    count = len(model_right)
    only_one = int((model_right != file_right).sum())
    return float(model_right.mean() - file_right.mean()), 2 * only_one**0.5 / count


def is_at_chance(classes: np.ndarray, labels: np.ndarray) -> bool:
    """Whether classes have no more to do with the true ones than a guess has, as far as is known.

    Two things have to be so: the classes are right no more often than the same classes dealt out
    to the images at random would be (a permutation test at 1 %), and so seldom that a network
    halfway between that and no mistakes would be so seldom right in less than 1 % of cases. With
    few images the second is not so, and nothing is said. Nor is it where fewer than five images
    have another label than the commonest, as a network that is right and one that always gives
    that label are then alike.

    Args:
        classes: int (images,), what a network gives.
        labels: int (images,), the true ones.
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
    return compute_chance_of_fewer(halfway, right, count) < LIKELY
