import io

import numpy as np
import pytest
import tensorflow as tf

from recu_tf.data.disk.decoding import decode, resize, resize_and_crop, resize_whole

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height, width):
    """An image whose grey levels tell where they come from."""
    rows = np.linspace(0, 255, height)[:, None, None]
    columns = np.linspace(0, 255, width)[None, :, None]
    return np.concatenate(np.broadcast_arrays(rows, columns, 128), axis=2).round().astype(np.uint8)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_rotation_noted_in_exif_is_not_applied(kind):
    image = Image.fromarray(ramp(16, 24))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    contents = encoded(image, kind, exif=exif)
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(contents))).size == (16, 24)
    plain = decode(tf.constant(encoded(image, kind)))
    got = decode(tf.constant(contents))
    assert got.shape == (16, 24, 3)
    np.testing.assert_array_equal(got, plain)


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (375, 500), (1300, 900), (64, 64)])
@pytest.mark.parametrize("to", [(224, 224), (256, 341)])
def test_resizing_is_that_of_pillow(size, to):
    image = noise(*size)
    expected = np.asarray(Image.fromarray(image).resize(to[::-1], Image.BILINEAR))
    got = tf.function(resize)(tf.constant(image), *to).numpy()
    assert got.dtype == np.uint8
    # Pillow rounds between the two directions as well.
    assert np.abs(got.astype(int) - expected).max() <= 1
    mirrored = resize(tf.constant(image), *to, mirrored=tf.constant(True)).numpy()
    np.testing.assert_array_equal(mirrored, got[:, ::-1])


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 90}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "L", {}),
        ("BMP", "RGB", {}),
        ("BMP", "L", {}),
        ("GIF", "P", {}),
    ],
)
def test_decoding_is_that_of_pillow(kind, mode, options):
    contents = encoded(Image.fromarray(ramp(90, 121)).convert(mode), kind, **options)
    expected = np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")).astype(int)
    # CMYK has more than one way to become RGB, and they round differently.
    tolerance = 1 if mode == "CMYK" else 0
    assert np.abs(decode(tf.constant(contents)).numpy() - expected).max() <= tolerance


@pytest.mark.parametrize("size", [(375, 500), (500, 375), (256, 256), (100, 301)])
def test_test_images_are_resized_and_cut_in_the_middle(size):
    height, width = size
    cut = resize_and_crop(tf.constant(ramp(height, width))).numpy()
    assert cut.shape == (224, 224, 3)
    for axis, length in enumerate(size):
        share = 224 * min(size) / 256 / length
        levels = cut[:, 112, 0] if axis == 0 else cut[112, :, 1]
        ends = 255 * np.array([0.5 - share / 2, 0.5 + share / 2])
        # A pixel is half of the resized image's grid away from the edge of the cut, and rounded.
        np.testing.assert_allclose(levels[[0, -1]], ends, atol=2)
        assert (np.diff(levels.astype(int)) >= 0).all()


def test_large_images_are_resized_without_aliasing():
    """Stripes one pixel wide become grey, as with Pillow."""
    stripes = np.zeros((1024, 1024, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = resize_and_crop(tf.constant(stripes)).numpy()
    assert np.abs(cut - 127.5).max() <= 2


def test_whole_images_are_only_resized():
    image = resize_whole(tf.constant(ramp(64, 64))).numpy()
    assert image.shape == (224, 224, 3)
    assert (image[0, 0, 0], image[-1, -1, 1]) == (0, 255)
