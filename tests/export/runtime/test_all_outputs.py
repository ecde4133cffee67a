"""What `predict.py` prints of all outputs: lines of JSON, and those beside the classes."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from bundles import NAMES, NORMALIZATION, small_bundle
from PIL import Image
from predictions import RUNS, picture, program, save_pictures, softmax

from export import convert, convert_float_baseline
from export.bundle.writer import write
from export.proof import golden
from export.runtime import predict
from export.tflite.flatbuffer import read
from export.tflite.interpreter import run

pytestmark = pytest.mark.usefixtures("without_litert")


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
