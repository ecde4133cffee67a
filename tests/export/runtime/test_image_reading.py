"""Images reach the network of `predict.py` as they reach it in the evaluation."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from bundles import NORMALIZATION
from PIL import Image
from predictions import RUNS, picture, program, save_pictures

from export.runtime import predict
from recu_tf.data.disk import decoding

pytestmark = pytest.mark.usefixtures("without_litert")


@pytest.mark.parametrize(("height", "width"), [(300, 421), (421, 300), (97, 60), (257, 256)])
def test_images_are_resized_as_in_the_evaluation(height, width):
    pixels = picture(height, width)
    for resize, prepare in (
        ({"shorter_side": 256, "crop": [224, 224]}, decoding.resize_and_crop),
        ({"exact": [224, 224]}, decoding.resize_whole),
    ):
        got = np.asarray(predict.resize_image(Image.fromarray(pixels), resize)).astype(int)
        assert got.shape == (224, 224, 3)
        # Pillow rounds after each of the two directions, so that a grey level may differ.
        assert np.abs(got - prepare(pixels).numpy()).max() <= 1


def test_long_strip_takes_no_more_memory_than_its_middle():
    strip = Image.new("RGB", (60_000, 2))
    # All of it with a shorter side of 256 would be 7,680,000 pixels wide.
    resize = {"shorter_side": 256, "crop": [224, 224]}
    assert predict.resize_image(strip, resize).size == (224, 224)


def test_images_are_normalised_as_in_the_evaluation(tmp_path):
    (path,) = save_pictures(tmp_path, 1)
    network = SimpleNamespace(
        shape=(1, 32, 32, 3),
        values="normalized",
        resize={"exact": [32, 32]},
        mean=list(NORMALIZATION.mean),
        std=list(NORMALIZATION.std),
    )
    got = predict.prepare(path, network)
    assert got.dtype == np.float32
    expected = NORMALIZATION(picture(32, 32)[np.newaxis])[0]
    # Multiplying and subtracting in one rounding or in two.
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def image_of_mode(mode):
    grey, colour = picture(20, 30, 1)[..., 0], picture(20, 30)
    if mode == "I;16":
        wide = grey.astype(np.uint16) * 256 + np.arange(30, dtype=np.uint16)
        return Image.fromarray(wide)
    if mode == "P with transparency":
        image = Image.fromarray(colour).quantize(64)
        image.info["transparency"] = 3
        return image
    image = Image.fromarray(colour).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(grey))
    return image


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "P with transparency", "RGBA", "I;16"])
def test_images_of_every_mode_are_read_as_in_the_evaluation(mode, tmp_path):
    image_of_mode(mode).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.mode in (mode.split()[0], "I")  # older versions of Pillow call I;16 so
    got = np.asarray(predict.open_image(tmp_path / "x.png", 3))
    np.testing.assert_array_equal(got, decoding.decode((tmp_path / "x.png").read_bytes()))
    assert predict.open_image(tmp_path / "x.png", 1).mode == "L"


def test_images_are_turned_as_the_camera_was_held(tmp_path):
    image = Image.fromarray(picture(20, 30))
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    image.save(tmp_path / "x.png", exif=exif)
    got = np.asarray(predict.open_image(tmp_path / "x.png", 3))
    np.testing.assert_array_equal(got, np.rot90(picture(20, 30), -1))


def test_large_image_is_read_without_a_warning(folder, tmp_path, capsys, monkeypatch):
    (path,) = save_pictures(tmp_path, 1)
    width, height = Image.open(path).size
    # Pillow warns above its limit, and refuses above twice that.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", width * height - 1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert program(folder).main([str(path)]) == 0
    assert [
        warning for warning in warned if warning.category is Image.DecompressionBombWarning
    ] == []
    assert capsys.readouterr().err == RUNS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", width * height // 2 - 1)
    assert program(folder).main([str(path)]) == 1
    assert "could be decompression bomb" in capsys.readouterr().err
