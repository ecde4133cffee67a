import importlib.util
import json
import re

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from complaints import complaint
from conftest import few_digits
from PIL import Image

import export
from experiments import cli
from recu_tf import data

L = tf.keras.layers
TEST_IMAGES = 20


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch):
    few_digits(monkeypatch, train=64, test=TEST_IMAGES)


@pytest.fixture
def network(tmp_path):
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((32, 32, 3))
    x = L.Conv2D(8, 3, 2, padding="same", activation="relu")(image)
    model = tf.keras.Model(image, L.Dense(10)(L.GlobalAveragePooling2D()(x)))
    model.save(tmp_path / "a.keras")
    return tmp_path / "a.keras"


def description_of(directory):
    return json.loads((directory / "model.json").read_text())


def save_digits(folder, count=TEST_IMAGES):
    """Test images in a folder for each class; their paths."""
    pixels, labels = data.load("digits", "test", normalized=False)
    paths = [folder / f"digit {labels[at]}" / f"{at}.png" for at in range(count)]
    for path, image in zip(paths, pixels, strict=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return paths


def predicted(folder, paths, capsys):
    """The likeliest class of each image by the program in a bundle."""
    spec = importlib.util.spec_from_file_location("copied_predict", folder / "predict.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    capsys.readouterr()
    assert program.main([*map(str, paths), "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    of_path = dict(zip(lines[::2], lines[1::2], strict=True))
    return [of_path[str(path)].split("%")[1].strip() for path in paths]


@pytest.fixture(scope="module")
def classifier():
    """A network of pixels from 0 to 1, trained on few digits."""
    tf.keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as monkeypatch:
        few_digits(monkeypatch, train=64)
        pixels, labels = data.load("digits", "train", normalized=False)
    layers = (L.Conv2D(8, 3, 2, activation="relu"), L.Flatten(), L.Dense(10))
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.003), loss)
    model.fit((pixels / 255).astype("float32"), labels, 16, epochs=20, verbose=0)
    return model


def of_scaled_pixels(classifier, scale, offset):
    """The same network for numbers x that stand for pixels of `scale` * x + `offset`."""
    kernel, bias, *others = classifier.get_weights()
    model = tf.keras.models.clone_model(classifier)
    bias = bias + np.einsum("hwio,i->o", kernel, np.broadcast_to(offset, 3))
    model.set_weights([kernel * scale, bias, *others])
    return model


def predict_test_images(model, prepare):
    """The predicted classes of the test images, as `prepare` makes them of pixels; the accuracy."""
    pixels, labels = data.load("digits", "test", normalized=False)
    classes = model.predict(prepare(pixels).astype("float32"), verbose=0).argmax(1)
    accuracy = np.mean(classes == labels)
    assert accuracy >= 0.5
    return classes, accuracy


@pytest.mark.slow
def test_every_option_reaches_the_file_and_the_file_is_evaluated(network, tmp_path, capsys):
    out = tmp_path / "bundle"
    arguments = ("--out", out, "--dataset", "digits", "-b", 2, "--input", "uint8", "--softmax")
    more = ("--int8", "--target", "arm", "--strict", "--no-check-accuracy")
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
    types = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
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
    error = complaint(capsys, "export", network, "--which", "best")
    assert "`which` is for run directories" in error
    assert "`data_path` needs `dataset`" in complaint(
        capsys, "export", network, "--data_path", tmp_path
    )
    assert "`input` uint8 needs the normalisation" in complaint(
        capsys, "export", network, "--input", "uint8"
    )
    assert "does not exist" in complaint(capsys, "export", tmp_path / "nowhere")
    assert not (tmp_path / "a_export").exists()


@pytest.mark.slow
def test_untrained_network_fails_on_labelled_images_unless_accuracy_is_not_checked(
    network, tmp_path, capsys
):
    arguments = ["export", str(network), "--dataset", "digits"]
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert "the network itself is right in" in error or "for all 20 labelled images" in error
    assert "`--no-check_accuracy`" in error
    assert not (tmp_path / "a_export").exists()
    assert cli.main([*arguments, "--no-check_accuracy"]) == 0
    described = description_of(tmp_path / "a_export")
    assert described["options"]["check_accuracy"] is False
    assert described["output"]["kind"] == "logits"
    capsys.readouterr()
    assert "`max_drop` must be from 0 to 1, got 3.0" in complaint(
        capsys, "export", network, "--max-drop", 3
    )
    assert "need `check_accuracy`" in complaint(
        capsys, "export", network, "--min-accuracy", 0.5, "--no-check_accuracy"
    )


@pytest.mark.slow
def test_graph_of_a_saved_model_is_exported_without_a_baseline(network, tmp_path, capsys):
    model = tf.keras.models.load_model(network)
    tf.saved_model.save(model, str(tmp_path / "saved"))
    out = tmp_path / "bundle"
    assert cli.main(["export", str(tmp_path / "saved"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "bytes (a float32 baseline of this network cannot be made)" in printed
    assert "256 random images, for lack of real ones" in printed
    assert (out / "report.html").exists()
    assert cli.main(["benchmark", str(tmp_path / "saved")]) == 2
    assert "`saved_model`, SavedFunction, has no get_config" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ([L.Flatten(), L.Dense(4, "softmax")], "probabilities"),
        ([], "values"),
    ],
)
def test_kind_of_the_outputs_is_described(end, kind, tmp_path, capfd):
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), L.Conv2D(4, 3), *end])
    export.export_bundle(export.Source(model, "small", str(tmp_path / "small")))
    assert description_of(tmp_path / "small")["output"]["kind"] == kind
    assert kind in (tmp_path / "small" / "report.html").read_text("utf-8")
    # Only the command line prints the steps.
    assert "recu:" not in capfd.readouterr().err


@pytest.mark.slow
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


def test_network_that_scales_pixels_itself_is_verified_on_pixels(tmp_path, capsys):
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


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--input", "uint8", "--int8")])
def test_scaling_layer_is_obeyed_though_a_data_set_is_named(more, classifier, tmp_path, capsys):
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), L.Rescaling(1 / 255), classifier])
    expected, accuracy = predict_test_images(model, lambda pixels: pixels)
    model.save(tmp_path / "a.keras")
    arguments = [str(tmp_path / "a.keras"), "--dataset", "digits", *more]
    assert cli.main(["export", *arguments, "--out", str(tmp_path / "out")]) == 0
    described = description_of(tmp_path / "out")
    assert (described["input"]["values"], described["input"]["mean"]) == ("pixels", None)
    assert described["accuracy"]["keras"] == pytest.approx(accuracy)
    got = predicted(tmp_path / "out", save_digits(tmp_path / "images"), capsys)
    # int8 may round the two likeliest classes of an image into each other.
    assert np.sum(np.array(got, int) != expected) <= (1 if "--int8" in more else 0)


@pytest.mark.slow
def test_given_normalisation_classes_and_images_reach_the_folder(classifier, tmp_path, capsys):
    mean = np.array([1, 0.5, 1])
    model = of_scaled_pixels(classifier, 0.25, mean / 2)
    expected, accuracy = predict_test_images(model, lambda pixels: (pixels / 127.5 - mean) / 0.5)
    model.save(tmp_path / "a.keras")
    paths = save_digits(tmp_path / "images")
    names = [f"digit {number}" for number in range(10)]
    (tmp_path / "names.txt").write_text("\n".join(names) + "\n\n", "utf-8")
    arguments = ("--images", tmp_path / "images", "--labels", tmp_path / "names.txt")
    numbers = ("--scale", "1/127.5", "--mean", "1,0.5,1", "--std", "0.5", "--out", tmp_path / "b")
    assert cli.main(["export", *map(str, (tmp_path / "a.keras", *arguments, *numbers))]) == 0
    printed = capsys.readouterr().out
    assert f"Verification on {TEST_IMAGES} images of {tmp_path / 'images'}: passed" in printed
    described = description_of(tmp_path / "b")
    assert described["class_names"] == names
    assert (tmp_path / "b" / "labels.txt").read_text("utf-8").splitlines() == names
    # (pixel / 127.5 - mean) / std, said of pixel / 255.
    assert described["input"]["mean"] == pytest.approx([0.5, 0.25, 0.5])
    assert described["input"]["std"] == pytest.approx([0.25] * 3)
    assert predicted(tmp_path / "b", paths, capsys) == [names[label] for label in expected]
    assert described["accuracy"]["keras"] == pytest.approx(accuracy)
    assert described["accuracy"]["dataset"] is None


@pytest.mark.slow
def test_int8_and_names_come_from_the_folder_if_nothing_else_is_given(classifier, tmp_path, capsys):
    expected, _ = predict_test_images(classifier, lambda pixels: pixels / 255)
    classifier.save(tmp_path / "a.keras")
    paths = save_digits(tmp_path / "images")
    for digit in range(10):
        folder = tmp_path / "images" / f"digit {digit}"
        if not folder.exists():  # few images have no more than nine of them
            folder.mkdir()
            Image.new("RGB", (32, 32)).save(folder / "black.png")
    arguments = ("--images", tmp_path / "images", "--scale", "1/255", "--input", "uint8", "--int8")
    assert cli.main(["export", *map(str, (tmp_path / "a.keras", *arguments))]) == 0
    described = description_of(tmp_path / "a_export")
    assert described["class_names"] == [f"digit {digit}" for digit in range(10)]
    assert described["input"]["values"] == "pixels"
    got = predicted(tmp_path / "a_export", paths, capsys)
    # int8 may round the two likeliest classes of an image into each other.
    assert sum(name != f"digit {label}" for name, label in zip(got, expected, strict=True)) <= 1


def test_wrong_labels_and_numbers_are_refused_in_one_line(network, tmp_path, capsys):
    (tmp_path / "nine.txt").write_text("name\n" * 9)
    (tmp_path / "gap.txt").write_text("name\n\n" + "name\n" * 9)
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    for name, message in (
        ("nine.txt", "nine.txt must hold a name for each output of the network, which gives"),
        ("gap.txt", "gap.txt must have a class name per line, line 2 is empty"),
        ("bytes.txt", "bytes.txt must be text in UTF-8"),
        ("none.txt", "No such file"),
    ):
        assert message in complaint(capsys, "export", network, "--labels", tmp_path / name)
    assert "`mean` must be one number, or one" in complaint(
        capsys, "export", network, "--mean", "1,2"
    )
    assert "`images` must be normalised as" in complaint(
        capsys, "export", network, "--images", save_digits(tmp_path / "images")[0].parent
    )
    assert not (tmp_path / "a_export").exists()


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--mean", "a,b", "must be numbers separated by commas, got 'a,b'"),
        ("--mean", "nan", "must be numbers separated by commas, got 'nan'"),
        ("--std", "1,0,1", "must be above 0, got '1,0,1'"),
        ("--scale", "1/0", "must be a number above 0 or a fraction such as 1/255, got '1/0'"),
        ("--scale", "0", "must be a number above 0 or a fraction such as 1/255, got '0'"),
    ],
)
def test_numbers_that_cannot_be_read_have_exit_code_2(option, text, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["export", "a.keras", option, text])
    assert message in capsys.readouterr().err


def test_input_beyond_memory_is_refused_in_one_line(tmp_path, capsys):
    image = tf.keras.Input((10**6, 10**6, 3))
    x = L.GlobalAveragePooling2D()(L.Conv2D(4, 3, 2)(image))
    tf.keras.Model(image, x).save(tmp_path / "large.keras")
    error = complaint(capsys, "export", tmp_path / "large.keras")
    assert "numbers at most, got (1000000, 1000000, 3)" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "large_export").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_steps_are_printed_on_standard_error(network, tmp_path, capfd):
    paths = save_digits(tmp_path / "images", 3)
    (paths[0].parent / "notes.txt").touch()
    folder = paths[0].parent
    assert cli.main(["export", str(network), "--images", str(folder), "--scale", "1"]) == 0
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "recu: Reading images ...",
        f"recu: warning: {folder}: left out 1 .txt; images must be .jpeg, .jpg, .png, .bmp, .gif.",
        "recu: Rewriting for the engine ...",
        "recu: Converting ...",
        f"recu: Verifying on images of {folder} ...",
        "recu: Measuring latency ...",
    ]
