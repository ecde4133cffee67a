"""What `predict.py` makes of the paths it is given: images, folders and what is neither."""

import io
import os

import numpy as np
import pytest
from bundles import small_bundle
from PIL import Image
from predictions import (
    RUNS,
    keras_probabilities,
    printed_probabilities,
    program,
    save_pictures,
    share_alike,
)

from export.bundle.writer import write

pytestmark = pytest.mark.usefixtures("without_litert")


def bomb(path):
    # A PNG of 60,000 by 60,000 pixels, by its header.
    data = io.BytesIO()
    Image.new("1", (1, 1)).save(data, "png")
    path.write_bytes(data.getvalue().replace((1).to_bytes(4, "big") * 2, b"\0\0\xea\x60" * 2))


def postscript(path):
    # Pillow would start another program for it.
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "x.png does not exist"),
        (lambda path: path.mkdir(), "x.png is a folder without images"),
        (os.mkfifo, "x.png is not a file"),
        (
            lambda path: (path.mkdir(), os.mkfifo(path / "y.png")),
            "x.png is a folder without images",
        ),
        (lambda path: path.write_text("text"), "x.png cannot be read as an image: cannot identify"),
        (postscript, "x.png cannot be read as an image: cannot identify"),
        (bomb, "x.png cannot be read as an image: "),
        (
            lambda path: Image.fromarray(np.ones((4, 4), np.float32)).save(path, "TIFF"),
            "x.png cannot be read as an image: its values do not fit into 8 or 16 bits",
        ),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(make, message, folder, tmp_path, capsys):
    make(tmp_path / "x.png")
    assert program(folder).main([str(tmp_path / "x.png")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    error = captured.err.removeprefix(RUNS)
    assert error.count("\n") == 1
    assert error.startswith("predict.py: error: ")
    assert message in error


def test_image_cut_off_is_refused(folder, tmp_path, capsys):
    (path,) = save_pictures(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-900])
    assert program(folder).main([str(path)]) == 1
    assert "0.png cannot be read as an image: " in capsys.readouterr().err


def test_bad_images_are_named_and_the_others_gone_on_with(folder, tmp_path, capsys):
    paths = save_pictures(tmp_path, 3)
    program(folder).main(list(map(str, paths)))
    expected = capsys.readouterr().out
    paths[1:1] = [tmp_path / "missing.png", tmp_path / "text.png"]
    paths[2].write_text("text")
    assert program(folder).main(list(map(str, paths))) == 1
    captured = capsys.readouterr()
    assert captured.out == expected
    lines = captured.err.removeprefix(RUNS).splitlines()
    assert len(lines) == 2
    assert lines[0] == f"predict.py: error: {paths[1]} does not exist"
    assert lines[1].startswith(f"predict.py: error: {paths[2]} cannot be read as an image: ")


def test_bad_images_leave_their_place_in_a_batch_to_others(tmp_path, capsys):
    write(tmp_path / "export", small_bundle(batch_size=3))
    paths = save_pictures(tmp_path, 4)
    paths[1].write_text("text")
    assert program(tmp_path / "export").main([*map(str, paths), "--top", "10"]) == 1
    got = printed_probabilities(capsys.readouterr().out)
    assert share_alike(got, keras_probabilities([paths[0], *paths[2:]])) >= 0.6


def test_folders_are_searched_for_images(folder, tmp_path, capsys):
    images = tmp_path / "images"
    (images / "cats.png").mkdir(parents=True)
    (images / ".hidden").mkdir()
    (images / "__MACOSX").mkdir()
    (image,) = save_pictures(tmp_path, 1)
    names = ("b.PNG", "a.png", "cats.png/c.jpeg", ".hidden/d.png", "__MACOSX/e.png", "._a.png")
    for name in (*names, "notes.txt"):
        (images / name).write_bytes(image.read_bytes())
    assert program(folder).main([str(image), str(images), "--top", "1"]) == 0
    captured = capsys.readouterr()
    found = [line for line in captured.out.splitlines() if not line.startswith("  ")]
    assert found == [str(image), *(str(images / name) for name in ("a.png", "b.PNG", names[2]))]
    assert captured.err == f"predict.py: {images}: 1 other files skipped\n{RUNS}"
