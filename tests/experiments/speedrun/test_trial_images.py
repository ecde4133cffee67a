import numpy as np
import pytest

from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_images import augment_epoch


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 256, (40, 8, 6, 3), np.uint8)


def find_shift(image, original, padding, *, flipped):
    """The shift by which an image was cut out of its padded original, None if there is none."""
    source = original[:, ::-1] if flipped else original
    padded = np.pad(source, ((padding, padding), (padding, padding), (0, 0)))
    height, width = original.shape[:2]
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            if np.array_equal(padded[top : top + height, left : left + width], image):
                return top, left
    return None


@pytest.mark.parametrize("padding", [0, 2])
def test_each_image_comes_once_shifted_and_flipped(pixels, padding):
    images, order = augment_epoch(Trial("any", padding=padding), pixels, 3)
    assert sorted(order) == list(range(40))
    assert not np.array_equal(order, np.arange(40))
    found = [
        [find_shift(image, pixels[index], padding, flipped=flipped) for flipped in (False, True)]
        for image, index in zip(images, order, strict=True)
    ]
    assert all(plain or flipped for plain, flipped in found)
    assert 8 < sum(flipped is not None for _, flipped in found) < 32
    shifts = {plain or flipped for plain, flipped in found}
    assert len(shifts) > 10 if padding else shifts == {(0, 0)}


def test_epoch_and_seed_decide_the_images(pixels):
    first, _ = augment_epoch(Trial("any"), pixels, 0)
    np.testing.assert_array_equal(augment_epoch(Trial("any"), pixels, 0)[0], first)
    for other in (
        augment_epoch(Trial("any"), pixels, 1),
        augment_epoch(Trial("x", seed=1), pixels, 0),
    ):
        assert not np.array_equal(other[0], first)


def test_alternating_flips_show_both_sides_in_two_epochs(pixels):
    trial = Trial("alternating", padding=0, alternating_flips=True)
    sides = []
    for epoch in range(2):
        images, order = augment_epoch(trial, pixels, epoch)
        upright = {
            index: np.array_equal(image, pixels[index])
            for image, index in zip(images, order, strict=True)
        }
        sides.append([upright[index] for index in range(40)])
    assert all(a != b for a, b in zip(*sides, strict=True))
    assert 8 < sum(sides[0]) < 32
