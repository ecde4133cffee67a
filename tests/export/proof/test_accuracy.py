import numpy as np
import pytest

from export.proof.accuracy import Bounds, Predictions, find_fault


def predictions(lost, count=1000):
    """A network that is right in 90 % of images, and a file that loses some of those."""
    labels = np.arange(count) % 10
    model = np.where(np.arange(count) < 0.9 * count, labels, (labels + 1) % 10)
    file = np.where(np.arange(count) < lost, (labels + 1) % 10, model)
    return Predictions(model, file, labels)


@pytest.mark.parametrize(
    ("lost", "count", "bounds", "match"),
    [
        (0, 1000, Bounds(), None),
        (20, 1000, Bounds(), None),
        (40, 1000, Bounds(), "falls from 90.0% to 86.0%, by more than `max_drop` 3.3% allows"),
        (40, 1000, Bounds(max_drop=0.05), None),
        # What is asked for is measured, without an allowance.
        (1, 1000, Bounds(max_drop=0), "falls from 90.0% to 89.9%"),
        # Of 20 images one or two are lost by chance, and half are not.
        (2, 20, Bounds(), None),
        (10, 20, Bounds(), "falls from 90.0% to 40.0%"),
        (0, 1000, Bounds(min_accuracy=0.95), "is 90.0%, less than `min_accuracy` 95.0%"),
        (0, 1000, Bounds(min_accuracy=0.9), None),
    ],
)
def test_loss_of_accuracy_is_judged_by_the_images_at_hand(lost, count, bounds, match):
    found = find_fault(predictions(lost, count), bounds, int8=False)
    assert (found is None) if match is None else (match in found)


def test_int8_has_to_keep_the_classes_of_the_network_itself():
    classes = np.arange(1000) % 10
    moved = np.where(np.arange(1000) < 300, (classes + 1) % 10, classes)
    lost = np.where(classes == 3, 4, classes)
    for file, expected in (
        (moved, "the network's class in 70.0% of the images, 75% are enough"),
        (lost, "keeps too few images of what the network classifies: 0% of class 3"),
    ):
        known = Predictions(classes, file, None)
        assert expected in find_fault(known, Bounds(), int8=True)
        assert find_fault(known, Bounds(), int8=False) is None
    assert find_fault(Predictions(classes, classes, None), Bounds(), int8=True) is None
    # Of five images two may differ.
    few = Predictions(classes[:5], np.array([0, 1, 2, 0, 0]), None)
    assert find_fault(few, Bounds(), int8=True) is None
