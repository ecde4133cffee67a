import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from bundles import NAMES, NORMALIZATION, exported, small_bundle
from PIL import Image
from predictions import (
    FOLLOWED_BY_NAME,
    keras_probabilities,
    picture,
    printed_probabilities,
    program,
    save_pictures,
    share_alike,
    softmax,
)

from export import convert, convert_float_baseline
from export.bundle.writer import write
from export.proof import golden
from export.runtime import predict
from export.tflite.flatbuffer import read
from export.tflite.interpreter import run
from recu_tf.data.disk import decoding

RUNS = "predict.py: Larq Compute Engine runs the network\n"


@pytest.fixture(autouse=True)
def without_litert(monkeypatch):
    """Where LiteRT is installed, the engine would not be the first choice."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "export", small_bundle())
    return tmp_path / "export"


def test_classes_and_probabilities_are_those_of_keras(folder, tmp_path, capsys, monkeypatch):
    paths = save_pictures(tmp_path, 8)
    monkeypatch.chdir(tmp_path)
    assert program(folder).main([*map(str, paths), "--top", "10", "--threads", "2"]) == 0
    got, expected = printed_probabilities(capsys.readouterr().out), keras_probabilities(paths)
    assert got.shape == (8, 10)
    assert share_alike(got, expected) >= 0.75
    assert np.mean(got.argmax(axis=1) == expected.argmax(axis=1)) >= 0.75


def test_likeliest_come_first_and_as_many_as_asked_for(folder, tmp_path, capsys):
    paths = save_pictures(tmp_path, 2, 50, 41)
    program(folder).main([*map(str, paths), "--top", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[4]] == [str(path) for path in paths]
    assert len(lines) == 8
    percents = [float(line.split("%")[0]) for line in lines[1:4]]
    assert percents == sorted(percents, reverse=True)


@pytest.mark.slow
def test_batches_are_filled_up(tmp_path, capsys):
    paths = save_pictures(tmp_path, 4)
    outputs = []
    for size in (1, 3):
        folder = tmp_path / f"batch{size}"
        write(folder, small_bundle(batch_size=size))
        program(folder).main([*map(str, paths), "--top", "10"])
        outputs.append(printed_probabilities(capsys.readouterr().out))
    assert outputs[1].shape == (4, 10)
    assert share_alike(outputs[1], outputs[0]) >= 0.75


def network_of(*layers, channels=3, dtype="float32"):
    x = inputs = tf.keras.Input((16, 16, channels), dtype=dtype)
    for layer in layers:
        x = layer(x)
    x = tf.keras.layers.Conv2D(10, 3, strides=2, bias_initializer="normal")(x)
    return tf.keras.Model(inputs, tf.keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_go_in_as_they_are_where_the_network_takes_them(dtype, channels, tmp_path, capsys):
    scale = tf.keras.layers.Rescaling(1 / 127.5, -1)
    model = network_of(scale, channels=channels, dtype=dtype)
    pixels = picture(16, 16, channels)
    images = pixels[np.newaxis].astype(dtype)
    bundle = exported(model, images, normalization=None, takes_pixels=dtype == "float32")
    assert bundle.input_type == dtype
    write(tmp_path / "export", bundle)
    Image.fromarray(pixels.squeeze()).save(tmp_path / "x.png")
    program(tmp_path / "export").main([str(tmp_path / "x.png"), "--top", "10"])
    got = printed_probabilities(capsys.readouterr().out)
    assert share_alike(got, softmax(model.predict(images, verbose=0))) == 1


def test_probabilities_of_the_file_are_taken_as_they_are(tmp_path, capsys):
    logits = network_of()
    model = tf.keras.Model(logits.inputs, tf.keras.layers.Softmax()(logits.outputs[0]))
    pixels = picture(16, 16)
    bundle = exported(model, np.zeros((1, 16, 16, 3), np.float32), kinds=["probabilities"])
    write(tmp_path / "export", bundle)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    program(tmp_path / "export").main([str(tmp_path / "x.png"), "--top", "10"])
    got = printed_probabilities(capsys.readouterr().out)
    expected = run(bundle.flatbuffer, NORMALIZATION(pixels[np.newaxis]).numpy())
    assert share_alike(got, expected) == 1


def test_classes_without_names_are_numbers(tmp_path, capsys):
    write(tmp_path / "export", small_bundle(class_names=None))
    (path,) = save_pictures(tmp_path, 1)
    program(tmp_path / "export").main([str(path), "--top", "10"])
    names = {name for _, name in FOLLOWED_BY_NAME.findall(capsys.readouterr().out)}
    assert names == set(map(str, range(10)))


# Images, as the evaluation sees them.


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


def test_json_has_all_outputs_of_the_network(folder, tmp_path, capsys):
    paths = [*save_pictures(tmp_path, 2), tmp_path / "missing.png"]
    assert program(folder).main([*map(str, paths), "--json", "--top", "3"]) == 1
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["file"] for line in lines] == list(map(str, paths[:2]))
    assert captured.err == f"{RUNS}predict.py: error: {paths[2]} does not exist\n"
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths[:2]])
    logits = run(small_bundle().flatbuffer, NORMALIZATION(pixels).numpy())
    expected = softmax(logits.astype(np.float64))
    for line, row, values in zip(lines, expected, logits, strict=True):
        numbers = np.argsort(-row)[:3].tolist()
        assert [found["class"] for found in line["classes"]] == numbers
        assert [found["name"] for found in line["classes"]] == [NAMES[at] for at in numbers]
        # Images are normalised in one rounding or in two.
        got = [found["probability"] for found in line["classes"]]
        np.testing.assert_allclose(got, row[numbers], atol=1e-4)
        (output,) = line["outputs"]
        assert output["shape"] == [10]
        np.testing.assert_allclose(output["values"], values, atol=1e-3)


def test_values_that_are_not_finite_are_null_in_json():
    network = SimpleNamespace(outputs=[("a", (1, 3))], main=0, kind="logits", class_names=None)
    outputs = [np.array([1, np.inf, np.nan], np.float32)]
    description = json.loads(predict.format_json(Path("x.png"), outputs, network, 3))
    assert description["outputs"][0]["values"] == [1, None, None]
    assert {found["probability"] for found in description["classes"]} == {None}


def several_outputs():
    """A network of two maps and the classes, in an order that the converter changes."""
    inputs = tf.keras.Input((16, 16, 3))
    x = tf.keras.layers.Conv2D(4, 3, strides=4, bias_initializer="normal")(inputs)
    classes = tf.keras.layers.Dense(5)(tf.keras.layers.GlobalAveragePooling2D()(x))
    return tf.keras.Model(inputs, [x, classes, tf.reduce_max(x, axis=[1, 2, 3])])


def bundle_of(model, images, tmp_path, **changes):
    """A folder of a file made by TensorFlow Lite's converter, with a golden sample."""
    flatbuffer = convert_float_baseline(model)
    sample = golden.make_golden_sample(flatbuffer, images, source="random images", tolerance=1e-3)
    changes = {"class_names": None, "dataset": None, **changes}
    write(tmp_path / "export", small_bundle(file=read(flatbuffer), golden=sample, **changes))
    return tmp_path / "export"


def test_all_outputs_are_printed(tmp_path, capsys):
    model = several_outputs()
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
    folder = bundle_of(model, images, tmp_path)
    Image.fromarray(picture(16, 16)).save(tmp_path / "x.png")
    expected = [v.numpy()[0] for v in model(NORMALIZATION(picture(16, 16)[np.newaxis]))]
    assert program(folder).main([str(tmp_path / "x.png"), "--json", "--top", "5"]) == 0
    line = json.loads(capsys.readouterr().out)
    got = {tuple(output["shape"]): output["values"] for output in line["outputs"]}
    assert len(got) == 3
    for values in expected:
        np.testing.assert_allclose(got[values.shape], values, atol=1e-4)
    (row,) = softmax(expected[1][np.newaxis])
    likely = {found["class"]: found["probability"] for found in line["classes"]}
    np.testing.assert_allclose([likely[number] for number in range(5)], row, atol=1e-4)

    assert program(folder).main([str(tmp_path / "x.png"), "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].endswith(f"%  {row.argmax()}")
    assert sum("4 x 4 x 4 values, " in line for line in lines) == 1
    assert f": {expected[2]:.3g}" in " ".join(lines)


def test_network_of_several_inputs_says_what_it_takes_and_tests_itself(tmp_path, capsys):
    # Not in the alphabetical order that the converter has them in.
    numbers, image = tf.keras.Input((6,), name="b"), tf.keras.Input((16, 16, 3), name="a")
    x = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Conv2D(6, 3)(image))
    model = tf.keras.Model([numbers, image], tf.keras.layers.Dense(4)(x * numbers))
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(4, *part.shape[1:])).astype("float32") for part in model.inputs]
    flatbuffer = convert(model)
    sample = golden.make_golden_sample(flatbuffer, arrays, source="random images", tolerance=1e-3)
    bundle = small_bundle(file=read(flatbuffer), golden=sample, class_names=None)
    assert [end.name for end in bundle.inputs] == ["b", "a"]
    assert bundle.input_shape == (1, 16, 16, 3)
    write(tmp_path / "export", bundle)
    expected = [model([values[at : at + 1] for values in arrays])[0] for at in range(4)]
    np.testing.assert_allclose(sample.outputs[0][:, 0], expected, atol=1e-5)
    (path,) = save_pictures(tmp_path, 1)
    assert program(tmp_path / "export").main([str(path)]) == 2
    assert (
        "the network takes 2 inputs, and this script gives it an image only"
        in capsys.readouterr().err
    )
    assert program(tmp_path / "export").main(["--self-test"]) == 0
    assert capsys.readouterr().out.startswith("self-test passed: 4 of 4 runs within the tolerance")


def test_reader_that_goes_away_is_no_traceback(folder, tmp_path):
    paths = save_pictures(tmp_path, 2)
    command = f"{sys.executable} {folder / 'predict.py'} {paths[0]} {paths[1]} --json | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in result.stderr
    assert "predict.py: error: the output cannot be written: Broken pipe" in result.stderr


# The folder.


def change(folder, **changes):
    description = json.loads((folder / "model.json").read_text())
    for name, value in changes.items():
        part, _, key = name.rpartition("__")
        (description[part] if part else description)[key] = value
    (folder / "model.json").write_text(json.dumps(description))


def damage_model(folder):
    content = bytearray((folder / "model.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.tflite").write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage_model, "model.tflite is damaged or another file: its SHA-256 is not that of"),
        (lambda folder: (folder / "model.tflite").unlink(), "model.tflite cannot be read: No such"),
        (lambda folder: (folder / "model.json").unlink(), "model.json cannot be read: No such"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json is damaged: "),
        (lambda folder: (folder / "model.json").write_text("[]"), "model.json is damaged: "),
        (lambda folder: change(folder, format=9), "model.json must have format 1, got 9"),
        (lambda folder: change(folder, output=None), "model.json is damaged: "),
        (
            lambda folder: change(folder, input__values="unknown"),
            "model.json does not state which values the network takes: add under `input` "
            '`"values": "pixels"`',
        ),
        (
            lambda folder: change(folder, input__shape=[1, 32, 32, 4]),
            "the network takes 4 channels, and images have 1 or 3",
        ),
        (
            lambda folder: change(folder, input__shape=[1, 10]),
            "the network takes shape (1, 10), which is no image",
        ),
        (
            lambda folder: change(folder, input__shape=[1, 16, 16, 3]),
            "model.json is damaged: resize must lead to the size of the input",
        ),
        (
            lambda folder: change(
                folder, input__shape=[1, 16, 16, 3], input__resize={"exact": [16, 16]}
            ),
            "takes [((1, 32, 32, 3), 'float32')], which differs from model.json",
        ),
        (
            lambda folder: change(folder, input__resize={"shorter_side": 16, "crop": [32, 32]}),
            "model.json is damaged: resize must lead to the size of the input",
        ),
        (
            lambda folder: change(folder, input__shape="32"),
            "model.json is damaged: ValueError '32'",
        ),
        (lambda folder: change(folder, input__resize=None), "model.json is damaged: "),
        (lambda folder: change(folder, input__std=[0, 1, 1]), "mean and std must be numbers, one"),
        (lambda folder: change(folder, input__mean=["a", 1, 1]), "model.json is damaged: "),
        (lambda folder: change(folder, class_names=3), "model.json is damaged: TypeError class_n"),
        (lambda folder: change(folder, class_names=["a"]), "class_names must be 10, got 1"),
        (lambda folder: change(folder, outputs=[]), "model.json is damaged: "),
        (
            lambda folder: (folder / "model.json").write_text("[" * 100_000),
            "model.json is damaged: RecursionError",
        ),
        (
            lambda folder: (folder / "model.json").write_text('{"format":' * 100_000),
            "model.json is damaged: RecursionError",
        ),
    ],
)
def test_mistakes_in_the_folder_are_said_in_one_line(spoil, message, folder, tmp_path, capsys):
    (path,) = save_pictures(tmp_path, 1)
    spoil(folder)
    assert program(folder).main([str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize(
    "arguments",
    [[], ["x.png", "--top", "0"], ["x.png", "--threads", "many"], ["x.png", "--self-test"]],
)
def test_wrong_arguments_have_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main(arguments)
    assert "predict.py: error: " in capsys.readouterr().err
