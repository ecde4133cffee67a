import numpy as np
import pytest
import tensorflow as tf

from recu_tf.data.disk.augmentation import (
    RANDOM_NUMBERS,
    choose_crop,
    random_resized_crop,
    random_rotation,
)


def windows(size, count=2000):
    numbers = tf.random.stateless_uniform([count, RANDOM_NUMBERS], [0, 1])

    rows = tf.data.Dataset.from_tensor_slices(numbers)
    found = rows.map(lambda row: choose_crop(tf.constant(size), row))
    return np.stack(list(found.as_numpy_iterator()))


def torchvision_windows(height, width, count):
    """The published numbers in NumPy, try by try; corners left out."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        for _ in range(10):
            area = height * width * rng.uniform(0.08, 1.25)
            aspect = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                break
        else:
            w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
        found.append((h, w))
    return np.array(found)


@pytest.mark.parametrize("size", [(375, 500), (500, 375), (64, 64), (60, 600)])
def test_cuts_are_distributed_as_published(size):
    got, expected = windows(size), torchvision_windows(*size, 2000)
    top, left, height, width = got.T
    assert (got[:, :2] >= 0).all()
    assert (top + height).max() <= size[0]
    assert (left + width).max() <= size[1]
    for ours, theirs in (
        (height, expected[:, 0]),
        (width, expected[:, 1]),
        (height * width, expected.prod(axis=1)),
        (width / height, expected[:, 1] / expected[:, 0]),
    ):
        quantiles = np.linspace(0.1, 0.9, 9)
        # Shares of 2000 draws differ by 0.011 at one standard deviation, so of two by 0.016; four
        # of these.
        share_below = [(ours <= level).mean() for level in np.quantile(theirs, quantiles)]
        share_expected = [(theirs <= level).mean() for level in np.quantile(theirs, quantiles)]
        np.testing.assert_allclose(share_below, share_expected, atol=0.064)
    room = size[0] - height
    # Anywhere in the room there is: the mean of 0 ... 1 has a deviation of 0.29 / sqrt(count).
    placed = (top / np.maximum(room, 1))[room > 20]
    if len(placed) > 100:
        assert placed.mean() == pytest.approx(0.5, abs=4 * 0.3 / np.sqrt(len(placed)))
        assert placed.min() < 0.1 < 0.9 < placed.max()


def test_an_image_that_no_try_fits_is_cut_in_the_middle():
    for size, expected in (((10, 401), (0, 194, 10, 13)), ((401, 10), (194, 0, 13, 10))):
        numbers = tf.ones(RANDOM_NUMBERS) * 0.99
        np.testing.assert_array_equal(choose_crop(tf.constant(size), numbers), expected)


def test_of_a_single_pixel_no_less_is_taken():
    numbers = tf.zeros(RANDOM_NUMBERS)  # the smallest area of each try
    np.testing.assert_array_equal(choose_crop(tf.constant([1, 1]), numbers), [0, 0, 1, 1])
    pixel = np.full((1, 1, 3), 200, np.uint8)
    for contents in (tf.io.encode_png(pixel), tf.io.encode_jpeg(pixel)):
        assert (random_resized_crop(contents, numbers).numpy() == 200).all()


def test_jpegs_cut_while_decoding_are_those_cut_afterwards():
    """The pixels of a cut do not depend on the format: PNG keeps those of the decoded JPEG."""
    rng = np.random.default_rng(0)
    smooth = tf.image.resize(rng.uniform(0, 255, (12, 16, 3)), (300, 400), "bicubic")
    jpeg = tf.io.encode_jpeg(tf.cast(tf.clip_by_value(smooth, 0, 255), tf.uint8), quality=95)
    image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
    png = tf.io.encode_png(image)
    crop = tf.function(random_resized_crop)
    for row in tf.random.stateless_uniform([20, RANDOM_NUMBERS], [3, 4]):
        cut, expected = crop(jpeg, row), crop(png, row)
        # At the edge of the cut the decoder does without neighbours to smooth the colours with.
        difference = np.abs(cut.numpy().astype(int) - expected.numpy())[8:-8, 8:-8]
        assert difference.max() <= 2


def test_half_of_the_cuts_are_mirrored():
    left_to_right = np.broadcast_to(np.arange(80, dtype=np.uint8)[:, None], (80, 80, 3))
    png, crop = tf.io.encode_png(left_to_right), tf.function(random_resized_crop)
    numbers = tf.random.stateless_uniform([100, RANDOM_NUMBERS], [5, 6])
    cuts = [crop(png, row).numpy().astype(int) for row in numbers]
    mirrored = [cut[0, 0, 0] > cut[0, -1, 0] for cut in cuts]
    # Four standard deviations of 100 draws are a fifth.
    assert 0.3 < np.mean(mirrored) < 0.7


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("mirror", [False, True])
def test_rotation_is_that_of_pillow(share, mirror):
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    image = rng.integers(1, 256, (224, 224, 3), dtype=np.uint8)
    numbers = np.full(RANDOM_NUMBERS, share, np.float32)
    numbers[-1] = 0.2 if mirror else 0.8
    got = random_rotation(tf.io.encode_png(image), tf.constant(numbers)).numpy()
    got = got[:, ::-1] if mirror else got
    turned = [
        np.asarray(Image.fromarray(image).rotate(sign * 20 * (2 * share - 1))) for sign in (1, -1)
    ]
    # Some nearest pixels are a tie, up to rounding.
    same = [(got == image).all(axis=2).mean() for image in turned]
    assert max(same) > 0.99
    if share != 0.5:
        assert min(same) < 0.5
        assert (got == 0).all(axis=2).mean() > 0.02
