import re

import numpy as np
import pytest
import tensorflow as tf
from complaints import complaint
from conftest import few_digits, need, shared, tiny_resnet

from experiments import cli
from recu_tf import data
from recu_tf.pytorch.tensor_names import list_tensors
from recu_tf.runs import Run

IMAGES = 40


def printed(capsys, *arguments):
    """What `recu evaluate` prints, as lines."""
    assert cli.main(["evaluate", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch):
    few_digits(monkeypatch, test=IMAGES, build=tiny_resnet)


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint of the published form, of the small network."""
    torch = need("torch")
    rng = np.random.default_rng(0)

    def values(name, shape):
        if name.endswith("running_var"):
            return rng.uniform(0.5, 1.5, shape)
        return np.array(0.9) if name.endswith("tau") else rng.normal(size=shape)

    tensors = list_tensors(tiny_resnet((32, 32, 3), 10, rotated=True))
    state_dict = {
        tensor.name: torch.from_numpy(values(tensor.name, tensor.shape)) for tensor in tensors
    }
    path = tmp_path / "model_best.pth.tar"
    torch.save({"state_dict": state_dict, "epoch": 3}, path)
    return path


NETWORK = ("--model", "resnet20_1w1a", "--dataset", "digits")


@pytest.mark.slow
def test_a_network_is_as_good_in_every_format(checkpoint, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(["import", str(checkpoint), "--out", str(run), *NETWORK]) == 0
    assert cli.main(["export", str(run), "--no-check_accuracy"]) == 0
    capsys.readouterr()
    network = Run.open(run).load_model()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    network.save(elsewhere / "a.keras")
    network.save(elsewhere / "saved", save_format="tf")
    (elsewhere / "a.tflite").write_bytes((run / "export" / "model.tflite").read_bytes())

    expected = printed(capsys, run)
    assert expected[0] == f"{run / 'best.keras'} on {IMAGES} test images of digits"
    assert [line.split()[0] for line in expected[1:]] == ["top-1", "top-5", "loss"]
    digits = ("--dataset", "digits")
    for arguments in (
        (run, "--which", "last", "-bt", "7"),
        (run / "last.keras",),
        (run / "export" / "model.tflite",),
        (run / "export",),
        (checkpoint, *NETWORK),
        (elsewhere / "a.keras", *digits, "--batch-size-test", "1"),
        (elsewhere / "saved", *digits),
        (elsewhere / "a.tflite", *digits),
    ):
        lines = printed(capsys, *arguments)
        if arguments[0].suffix == ".tflite" or arguments[0].name == "export":
            assert lines.pop(0).startswith(f"Running {IMAGES} test images of digits with ")
        assert lines[0].endswith(f" on {IMAGES} test images of digits")
        assert lines[1:3] == expected[1:3], arguments
        # The engine's sums round otherwise.
        loss, expected_loss = (
            float(printed_lines[-1].split()[1]) for printed_lines in (lines, expected)
        )
        assert loss == pytest.approx(expected_loss, rel=1e-3)


def softmax_network(classes=10, shape=(32, 32, 3)):
    inputs = tf.keras.Input(shape)
    x = tf.keras.layers.GlobalAveragePooling2D()(inputs)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(classes, "softmax")(x))


def test_loss_of_a_network_that_ends_in_softmax_is_that_of_its_probabilities(tmp_path, capsys):
    network = softmax_network()
    network.save(tmp_path / "a.keras")
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(network).convert()
    (tmp_path / "a.tflite").write_bytes(flatbuffer)
    images, labels = data.load("digits", "test")
    network.compile(loss="sparse_categorical_crossentropy")
    loss = network.evaluate(images, labels, verbose=0)
    for name in ("a.keras", "a.tflite"):
        line = printed(capsys, tmp_path / name, "--dataset", "digits")[-1]
        assert float(line.removeprefix("loss")) == pytest.approx(loss, abs=1e-4)  # four digits


def test_file_in_a_run_is_normalized_as_in_its_training(checkpoint, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(["import", str(checkpoint), "--out", str(run), *NETWORK]) == 0
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace("0.324", "3.24"))
    capsys.readouterr()
    expected = printed(capsys, run)
    assert printed(capsys, run / "best.keras")[1:] == expected[1:]
    assert printed(capsys, checkpoint, *NETWORK)[3] != expected[3]
    error = complaint(capsys, "evaluate", run / "best.keras", "--dataset", "cifar10")
    assert re.search(r"`dataset` of the run .*run is digits, got 'cifar10'", error)


def test_config_of_another_program_is_no_run(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"architectures": []}')
    softmax_network().save(tmp_path / "a.keras")
    assert "must have format 1" in complaint(capsys, "evaluate", tmp_path / "a.keras")
    assert len(printed(capsys, tmp_path / "a.keras", "--dataset", "digits")) == 4


def test_network_of_other_images_or_classes_is_refused_before_it_is_run(tmp_path, capsys):
    softmax_network(100).save(tmp_path / "a.keras")
    error = complaint(capsys, "evaluate", tmp_path / "a.keras", "--dataset", "digits")
    assert "`dataset`: digits has 10 classes, the network in" in error
    assert error.endswith("a.keras 100.\n")
    softmax_network(shape=(28, 28, 1)).save(tmp_path / "b.keras")
    error = complaint(capsys, "evaluate", tmp_path / "b.keras", "--dataset", "digits")
    assert "`dataset`: images of digits are (32, 32, 3), the network in" in error
    assert error.endswith("b.keras takes (28, 28, 1).\n")


def test_folder_of_images_must_have_the_network_s_classes(tmp_path, capsys):
    for name in ("cat", "dog", "eel"):
        (tmp_path / "val" / name).mkdir(parents=True)
        image = tf.io.encode_jpeg(tf.fill((260, 260, 3), tf.cast(len(name), tf.uint8)))
        (tmp_path / "val" / name / "0.jpg").write_bytes(image.numpy())
    folder = ("--dataset", "folder", "--data_path", tmp_path)
    softmax_network(2, (None, None, 3)).save(tmp_path / "a.keras")
    error = complaint(capsys, "evaluate", tmp_path / "a.keras", *folder)
    assert "`dataset`: folder has 3 classes, the network in" in error
    softmax_network(3, (None, None, 3)).save(tmp_path / "a.keras")
    lines = printed(capsys, tmp_path / "a.keras", *folder)
    assert lines[0].endswith("on 3 test images of folder")
    assert lines[2] == "top-5 100.00%"
    (tmp_path / "val" / "eel" / "0.jpg").write_bytes(b"no image")
    error = complaint(capsys, "evaluate", tmp_path / "a.keras", *folder)
    assert "cannot be read: it is damaged" in error


@pytest.mark.parametrize("name", ["a.keras", "a.tflite", "a.pth.tar", "a/saved_model.pb"])
def test_damaged_files_are_refused_in_one_line(name, tmp_path, capsys):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"damaged")
    path = path.parent if name.endswith(".pb") else path
    error = complaint(capsys, "evaluate", path, "--dataset", "digits")
    assert error.startswith("recu: error: ")
    assert str(path) in error


def test_what_is_no_network_is_refused_with_what_may_be_given(tmp_path, capsys):
    (tmp_path / "a.onnx").touch()
    allowed = "must be a folder with a model.tflite in it, a .tflite file, a run directory, a"
    for path in (tmp_path, tmp_path / "a.onnx", tmp_path / "nowhere"):
        assert allowed in complaint(capsys, "evaluate", path)


def test_options_that_do_not_belong_to_a_format_are_refused(tmp_path, capsys):
    path = tmp_path / "a.keras"
    softmax_network().save(path)
    error = complaint(capsys, "evaluate", path)
    assert f"`dataset` must be given for {path}, which lies in no run: one of digits" in error
    digits = ("--dataset", "digits")
    assert "`which` is for run directories" in complaint(
        capsys, "evaluate", path, *digits, "--which", "last"
    )
    error = complaint(capsys, "evaluate", path, "--model", "resnet20_1w1a", *digits)
    assert "`model` is for published checkpoints" in error
    error = complaint(capsys, "evaluate", path, *digits, "-bt", "0")
    assert "`batch_size_test` must be at least 1, got 0" in error


@pytest.mark.slow
def test_published_checkpoint_has_its_top_1_and_top_5(capsys, monkeypatch):
    """Stated beside the checkpoint: 6,936 and 9,778 of 10,000, cross-entropy 0.86943."""
    monkeypatch.undo()  # the published network, not the small one of the other tests
    path = shared("checkpoints", "resnet20_1w1a_cifar10.pth.tar")
    lines = printed(capsys, path, "--data_path", shared("data", "tfds"))
    assert lines[0].endswith("on 10,000 test images of cifar10")
    # Rounding may turn a sign in an image on the border.
    for line, expected, tolerance in ((1, 69.36, 0.02), (2, 97.78, 0.02), (3, 0.86943, 5e-4)):
        got = float(lines[line].split()[1].removesuffix("%"))
        assert got == pytest.approx(expected, abs=tolerance)


def test_network_that_scales_pixels_itself_gets_pixels(tmp_path, capsys):
    """The same network for normalised images and, behind a `Rescaling`, for pixels."""
    normalization = data.DATASETS["digits"].normalization
    mean, std = np.array(normalization.mean), np.array(normalization.std)
    model = tiny_resnet((32, 32, 3), 10)
    scaling = tf.keras.layers.Rescaling((1 / (255 * std)).tolist(), (-mean / std).tolist())
    image = tf.keras.Input((32, 32, 3))
    model.save(tmp_path / "normalised.keras")
    tf.keras.Model(image, model(scaling(image))).save(tmp_path / "pixels.keras")
    normalised, pixels = (
        printed(capsys, tmp_path / f"{name}.keras", "--dataset", "digits")[1:]
        for name in ("normalised", "pixels")
    )
    # Of an untrained network: both see the same numbers, but for rounding.
    assert normalised == pixels
