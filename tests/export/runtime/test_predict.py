import numpy as np
import pytest
import tensorflow as tf
from bundles import NORMALIZATION, exported, small_bundle
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

from export.bundle.writer import write
from export.runtime import predict
from export.tflite.interpreter import run

pytestmark = pytest.mark.usefixtures("without_litert")


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


@pytest.mark.parametrize(
    "arguments",
    [[], ["x.png", "--top", "0"], ["x.png", "--threads", "many"], ["x.png", "--self-test"]],
)
def test_wrong_arguments_have_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main(arguments)
    assert "predict.py: error: " in capsys.readouterr().err
