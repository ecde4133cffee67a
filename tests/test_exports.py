import json
import re

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits

import export
from experiments import cli

L = tf.keras.layers
TEST_IMAGES = 20


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch):
    few_digits(monkeypatch, train=64, test=TEST_IMAGES)


@pytest.fixture
def network(tmp_path):
    image = tf.keras.Input((32, 32, 3))
    x = L.Conv2D(8, 3, 2, padding="same", activation="relu")(image)
    model = tf.keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x)))
    model.save(tmp_path / "a.keras")
    return tmp_path / "a.keras"


def complaint(capsys, *arguments):
    assert cli.main(["export", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def options_of(directory):
    return json.loads((directory / "model.json").read_text())


@pytest.mark.slow
def test_every_option_reaches_the_file_and_the_file_is_evaluated(network, tmp_path, capsys):
    out = tmp_path / "bundle"
    arguments = ("--out", out, "--dataset", "digits", "-b", 2, "--input", "uint8", "--softmax")
    more = ("--int8", "--target", "arm", "--strict")
    assert cli.main(["export", *map(str, (network, *arguments, *more))]) == 0
    printed = capsys.readouterr().out
    assert f"Verification on {TEST_IMAGES} test images of digits: passed" in printed
    assert f"Written: {out}" in printed
    interpreter = tf.lite.Interpreter(str(out / "model.tflite"))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert taken["dtype"] == np.uint8
    assert taken["shape"].tolist() == [2, 32, 32, 3]
    assert given["dtype"] == np.float32
    types = {one["dtype"] for one in interpreter.get_tensor_details()}
    assert np.int8 in types

    evaluated = []
    for path in (network, out / "model.tflite"):
        assert cli.main(["evaluate", str(path), "--dataset", "digits"]) == 0
        evaluated.append(capsys.readouterr().out.splitlines()[-3:])
    top_1 = [float(lines[0].split()[1].removesuffix("%")) for lines in evaluated]
    # Of 20 images one may change its class by what int8 rounds.
    assert abs(top_1[0] - top_1[1]) <= 100 / TEST_IMAGES
    loss = [float(lines[2].split()[1]) for lines in evaluated]
    assert loss[0] == pytest.approx(loss[1], rel=0.05)


def test_options_that_do_not_fit_are_refused_in_one_line(network, tmp_path, capsys):
    error = complaint(capsys, network, "--which", "best")
    assert "`which` is for run directories" in error
    assert "`data_path` needs `dataset`" in complaint(capsys, network, "--data_path", tmp_path)
    assert "`input` uint8 needs to know" in complaint(capsys, network, "--input", "uint8")
    assert "does not exist" in complaint(capsys, tmp_path / "nowhere")
    assert not (tmp_path / "a_export").exists()


def test_graph_of_a_saved_model_is_exported_without_a_twin(network, tmp_path, capsys):
    model = tf.keras.models.load_model(network)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    out = tmp_path / "bundle"
    assert cli.main(["export", str(tmp_path / "saved"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "bytes, no float32 twin can be made to compare it with" in printed
    assert "256 random images, for lack of real ones" in printed
    assert (out / "report.html").exists()
    assert cli.main(["benchmark", str(tmp_path / "saved")]) == 2
    assert "`saved_model`, SavedFunction, does not tell how it was made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ([L.Flatten(), L.Dense(4, "softmax")], "probabilities"),
        ([L.Flatten(), L.Dense(4)], "logits"),
        ([L.Flatten(), L.Dense(1)], "values"),
        ([], "values"),
    ],
)
def test_what_the_outputs_are_is_told(end, kind, tmp_path):
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.Conv2D(4, 3), *end])
    export.export_bundle(export.Source(model, "small", str(tmp_path / "small")))
    told = json.loads((tmp_path / "small" / "model.json").read_text("utf-8"))
    assert told["output"]["kind"] == kind
    assert kind in (tmp_path / "small" / "report.html").read_text("utf-8")


def test_network_that_pools_bits_has_a_report(tmp_path, capsys):
    image = tf.keras.Input((16, 16, 3))
    binary = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    x = lq.layers.QuantConv2D(32, 3, name="first", **binary)(L.Conv2D(32, 3)(image))
    x = L.BatchNormalization()(L.MaxPool2D()(x))
    x = lq.layers.QuantConv2D(32, 3, name="second", **binary)(x)
    tf.keras.Model(image, L.Dense(3)(L.GlobalAveragePooling2D()(x))).save(tmp_path / "pool.keras")
    assert cli.main(["export", str(tmp_path / "pool.keras")]) == 0
    assert "LceBMaxPool2d" in (tmp_path / "pool_export" / "report.html").read_text("utf-8")
    assert re.search(r"LceBMaxPool2d +binary +VALID", capsys.readouterr().out)


def test_network_that_scales_pixels_itself_is_proved_on_pixels(tmp_path, capsys):
    image = tf.keras.Input((16, 16, 3))
    x = tf.pad(L.Rescaling(1 / 255)(image), [[0, 0], [3, 3], [3, 3], [0, 0]])
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 7, strides=2, name="stem")(x))
    tf.keras.Model(image, L.Dense(3)(x)).save(tmp_path / "wrong.keras")
    assert cli.main(["export", str(tmp_path / "wrong.keras")]) == 1
    error = capsys.readouterr().err
    assert "the converter took the padding in front of stem for SAME" in error
    assert "first wrong layer: stem" in error
    assert not (tmp_path / "wrong_export").exists()
    x = L.Conv2D(8, 7, strides=2, padding="same")(L.Rescaling(1 / 127.5, -1)(image))
    tf.keras.Model(image, L.Dense(3)(L.GlobalAveragePooling2D()(x))).save(tmp_path / "right.keras")
    assert cli.main(["export", str(tmp_path / "right.keras")]) == 0
    assert "256 random images of pixels from 0 to 255, for lack" in capsys.readouterr().out
