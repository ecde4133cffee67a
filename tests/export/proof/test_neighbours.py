import numpy as np
import pytest

from export.proof.neighbours import GROUP, add_neighbours, find_grossly_different


def test_images_that_differ_the_most_are_chosen():
    badness = np.zeros(100)
    assert find_grossly_different(badness).size == 0
    badness[[3, 5, 7, 20, 40]] = [1.5, 0.9, np.inf, 1, 8]
    assert find_grossly_different(badness).tolist() == [7, 40, 3, 20]
    badness[:60] += 1
    assert find_grossly_different(badness).tolist() == [7]


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int32])
def test_neighbours_hardly_differ_from_their_image(dtype):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(dtype)
    copies = add_neighbours(images)
    assert copies.dtype == dtype
    assert len(copies) == 2 * GROUP
    for number, image in enumerate(images):
        group = copies[GROUP * number : GROUP * (number + 1)]
        np.testing.assert_array_equal(group[0], image)
        apart = np.abs(group[1:].astype(float) - image).reshape(GROUP - 1, -1)
        # Of pixels one in ten moves, by 1; of numbers each by about a thousandth of 74.
        assert apart.max() <= 1
        assert (apart.max(axis=1) > 0).all() == (dtype != np.int32)
