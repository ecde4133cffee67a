import numpy as np
import pytest

from export.proof.output_comparison import (
    compare,
    compute_chance_of_at_most,
    find_lost_classes,
    is_at_chance,
    measure_loss,
)


def test_unlikely_counts_are_those_of_the_binomial_distribution():
    assert compute_chance_of_at_most(0.5, 1, 3) == pytest.approx(0.5)
    assert compute_chance_of_at_most(0.9, 0, 3) == pytest.approx(1e-3)
    # The ways to choose half of 3,000 are no float64. Half of the distribution, and half of its
    # middle, 1 / sqrt(pi * 1500).
    assert compute_chance_of_at_most(0.5, 1500, 3000) == pytest.approx(
        0.5 + 0.5 / np.sqrt(np.pi * 1500), rel=1e-4
    )
    assert (
        compute_chance_of_at_most(0, 0, 5),
        compute_chance_of_at_most(1, 4, 5),
        compute_chance_of_at_most(1, 5, 5),
    ) == (1, 0, 1)


@pytest.mark.parametrize(
    ("kept", "of", "lost"), [(0, 1, False), (0, 2, False), (0, 3, True), (2, 23, True)]
)
def test_class_is_lost_where_its_images_are_enough_to_say_so(kept, of, lost):
    classes = np.concatenate([np.zeros(977, int), np.ones(of, int)])
    same = np.ones(len(classes), bool)
    same[977 + kept :] = False
    assert find_lost_classes(classes, same, 0.9) == ((1,) if lost else ())


def test_one_image_of_another_order_does_not_hide_the_others():
    rng = np.random.default_rng(0)
    expected = rng.normal(size=(100, 4))
    expected[7] *= 1e4
    got = expected + 0.5
    comparison, _ = compare("output", got, expected, tolerance=1e-3, are_classes=False, kept=0.9)
    assert comparison.share_within == 0
    assert comparison.tolerance < 0.1


def test_difference_of_a_tenth_of_the_spread_is_gross():
    expected = np.random.default_rng(0).uniform(-1, 1, (100, 4))
    got = expected.copy()
    got[3, 1] += 0.2
    got[5, 1] += 0.02
    got[8, 2] = np.nan
    comparison, badness = compare(
        "output", got, expected, tolerance=1e-3, are_classes=True, kept=0.9
    )
    assert comparison.gross == 2
    assert np.flatnonzero(badness >= 1).tolist() == [3, 8]
    assert comparison.share_within == 0.97


def test_loss_is_of_images_and_its_noise_of_those_that_only_one_gets_right():
    model, file = np.ones(100, bool), np.ones(100, bool)
    model[:10] = file[5:20] = False
    drop, noise = measure_loss(model, file)
    # Ten are lost and five won.
    assert drop == pytest.approx(0.05)
    assert noise == pytest.approx(2 * np.sqrt(15) / 100)


def guesses(count, classes, share_right, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    given = rng.integers(0, classes, count)
    right = rng.uniform(size=count) < share_right
    return np.where(right, labels, given), labels


def test_guesses_are_at_chance_and_networks_that_learned_are_not():
    chance = [is_at_chance(*guesses(1000, 10, 0, seed)) for seed in range(100)]
    # One in a hundred is taken for better.
    assert sum(chance) >= 95
    # Right in 19 % of images instead of 10 %.
    assert not any(is_at_chance(*guesses(1000, 10, 0.1, seed)) for seed in range(20))
    # A network that is right in half of its images, on few of them.
    assert sum(is_at_chance(*guesses(20, 10, 0.5, seed)) for seed in range(100)) <= 2
    assert not any(is_at_chance(*guesses(6, 2, 0.8, seed)) for seed in range(100))


def test_one_class_for_all_is_chance_however_common_it_is():
    labels = np.arange(1000) % 20 == 0
    always = np.zeros(1000, int)
    assert (always == labels).mean() == 0.95
    assert is_at_chance(always, labels.astype(int))
    # Of images with one label alone nothing can be said.
    assert not is_at_chance(always, always)
    assert not is_at_chance(always + 1, always)
    # Half of the rare ones found.
    some = labels & (np.arange(1000) % 40 == 0)
    assert not is_at_chance(some.astype(int), labels.astype(int))
