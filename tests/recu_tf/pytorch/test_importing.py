import json
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from complaints import complaint
from conftest import assert_same_arrays, need, shared, tiny_resnet
from larq_compute_engine.tflite.python.interpreter import Interpreter
from published_weights import CHECKPOINT, NETWORKS, Malicious, published_weights

import export
from experiments import cli
from export.proof.images import find_data_set, load_verification_images
from export.tflite.classifier import make_tflite_classifier
from recu_tf import data, models, pytorch, runs
from recu_tf.models import resnet
from recu_tf.pytorch import importing
from recu_tf.pytorch.importing import import_checkpoint
from recu_tf.runs import Run

torch = need("torch")


def save_checkpoint(path, state_dict, **metadata):
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in state_dict.items()}
    torch.save({"state_dict": tensors, **metadata}, path)
    return path


@pytest.fixture
def ready_network(monkeypatch):
    """Builds no network of a checkpoint, where a test only looks at what is done with one."""
    network = tiny_resnet((32, 32, 3), 10)
    monkeypatch.setattr(importing, "from_state_dict", lambda *_, **__: network)


def test_import_makes_a_run_that_records_its_origin(tmp_path, capsys):
    arguments = ["import", shared(*CHECKPOINT), "--out", tmp_path / "run"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr().out
    assert "resnet20_1w1a for cifar10, epoch 20, best_prec1 69.21" in printed
    assert "The momentum of the optimizer was not imported" in printed
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["imported"]["file"] == "resnet20_1w1a_cifar10.pth.tar"
    assert (config["imported"]["epoch"], config["imported"]["best_prec1"]) == (20, 69.21)
    assert config["normalization"]["mean"] == [0.485, 0.456, 0.406]
    assert config["class_names"][3] == "cat"
    best, last = (Run.open(tmp_path / "run").load_model(which) for which in runs.WHICH)
    assert_same_arrays(best.get_weights(), last.get_weights())
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_imported_checkpoint_reaches_its_top_1_before_and_after_export(tmp_path, capsys):
    path = str(shared("data", "tfds"))
    run = import_checkpoint(shared(*CHECKPOINT), tmp_path / "run", data_path=path)
    images, labels = data.load("cifar10", "test", path)
    assert cli.main(["evaluate", str(run.path)]) == 0
    top_1 = re.search(r"^top-1 (\d\d\.\d\d)%$", capsys.readouterr().out, re.MULTILINE)[1]
    # Stated beside the checkpoint: 6,936 of 10,000. Rounding may flip a sign in an image on the
    # border between two classes.
    assert abs(round(float(top_1) * 100) - 6936) <= 2
    assert cli.main(["export", str(run.path)]) == 0
    assert "Verification on 1000 test images of cifar10: passed" in capsys.readouterr().out
    flatbuffer = (run.path / "export" / "model.tflite").read_bytes()
    # All of them with the delegate, where it was compiled; the engine takes ten times as long.
    right = make_tflite_classifier(flatbuffer).predict(images).argmax(1) == labels
    assert abs(int(right.sum()) - 6936) <= 2
    some = slice(1000, 3000)  # the verification ran the first 1000
    logits = Interpreter(flatbuffer, num_threads=2, use_indirect_bgemm=True).predict(images[some])
    assert abs(int((logits.argmax(1) == labels[some]).sum()) - int(right[some].sum())) <= 2


THIN_STAGES = tuple((2, channels) for channels in (8, 16, 32, 64))

# What each kind of network may hold in a file beside its binary convolutions.
OPERATORS = {
    "cifar": {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "FULLY_CONNECTED",
        "MEAN",
        "PAD",
        "RELU_N1_TO_1",
    },
    "vgg": {"ADD", "CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL", "RELU_N1_TO_1", "RESHAPE"},
    "imagenet": {"ADD", "CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN", "STRIDED_SLICE"},
    "two_stage": {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "MEAN",
        "PRELU",
    },
}


def find_kind(reference):
    return next(kind for kind in ("vgg", "two_stage", "imagenet", "cifar") if kind in reference)


# One of each kind, and the widest; the others repeat their blocks.
@pytest.mark.slow
@pytest.mark.parametrize(
    "reference",
    [
        "cifar_resnet20",
        "cifar_resnet18",
        "cifar_vgg_small",
        "imagenet_resnet18",
        "imagenet_two_stage_resnet18",
    ],
)
def test_import_and_export_keep_networks_binary(reference):
    model = pytorch.from_state_dict(published_weights(reference))
    kind = find_kind(reference)
    if kind in ("imagenet", "two_stage"):
        # A fifth of the pixels, which is where the time goes.
        weights = model.get_weights()
        model = models.build(*NETWORKS[reference], input_shape=(96, 96, 3), rotated=True)
        model.set_weights(weights)
    flatbuffer = export.convert(model)
    audited = export.audit(flatbuffer, model)
    assert audited.passed, audited
    rotation = set() if kind == "vgg" else {"REVERSE_V2"}
    binary = {"LceBconv2d", "LceQuantize"}
    assert set(audited.operators) <= OPERATORS[kind] | binary | rotation
    assert audited.operators.get("REVERSE_V2", 0) == len(rotation)
    images = np.random.default_rng(0).normal(size=(8, *model.input_shape[1:])).astype("float32")
    verification = export.verify(flatbuffer, model, images)
    assert verification.passed, verification


@pytest.mark.slow
@pytest.mark.usefixtures("ready_network")
def test_network_whose_images_are_missing_is_verified_on_random_ones(tmp_path, monkeypatch):
    def read(split, data_path):
        raise OSError(f"nothing in {data_path}")

    cifar = data.DATASETS["cifar10"]
    monkeypatch.setitem(data.DATASETS, "cifar10", replace(cifar, read=read))
    state_dict = published_weights("cifar_resnet18a")
    checkpoint = save_checkpoint(
        tmp_path / "a.pth", {f"module.{name}": value for name, value in state_dict.items()}
    )
    run = import_checkpoint(checkpoint, tmp_path / "run")
    source = export.load(run.path)
    with pytest.raises(OSError, match="nothing in elsewhere"):
        # With `data_path` given, nothing replaces the images that are missing there.
        load_verification_images(source, find_data_set(source, data_path="elsewhere"))
    images = load_verification_images(source, find_data_set(source))
    assert images.pixels.shape == (256, 32, 32, 3)
    assert images.labels is None
    # Nothing is downloaded for a data set that nobody has named.
    assert images.source == (
        "random images, for lack of real ones (cifar10 would have to be downloaded, which "
        "`dataset` or `data_path` allows)"
    )
    verification = export.verify(export.convert(source.model), source.model, images.pixels)
    assert "top-1 accuracy" not in str(verification)
    assert verification.keras_accuracy is None


@pytest.mark.parametrize("kind_of_file", ["truncated", "text", "malicious", "nan", "another"])
def test_bad_checkpoint_leaves_one_line_and_nothing_else(kind_of_file, tmp_path, capsys):
    path = tmp_path / "bad.pth.tar"
    state_dict = published_weights("cifar_resnet18a")
    flags = []
    if kind_of_file == "text":
        path.write_text("epoch,loss\n1,2\n")
        expected = "is damaged or was not written by torch.save"
    elif kind_of_file == "malicious":
        torch.save({"state_dict": {}, "epoch": Malicious(tmp_path / "executed")}, path)
        expected = "was refused and nothing in it was executed"
    else:
        if kind_of_file == "nan":
            state_dict["layer1.0.bn1.bias"] = np.full_like(state_dict["layer1.0.bn1.bias"], np.nan)
        save_checkpoint(path, state_dict)
        expected = "does not belong to resnet18A_1w1a for cifar10; not finite: layer1.0.bn1.bias."
    if kind_of_file == "truncated":
        path.write_bytes(path.read_bytes()[:-5000])
        expected = "is damaged or was not written by torch.save"
    if kind_of_file == "another":
        flags, expected = (
            ["--model", "vgg_small_1w1a"],
            "does not belong to vgg_small_1w1a for cifar10",
        )
    assert expected in complaint(capsys, "import", path, "--out", tmp_path / "run", *flags)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth.tar"]


def test_odd_tensors_are_refused_by_name(tmp_path, capsys):
    state_dict = published_weights("cifar_resnet18a")
    for name, value, expected in (
        ("linear.weight", np.float32(1), "of a different shape: linear.weight ()"),
        ("layer1.0.conv1.weight", np.float32(1), "no published ReCU network"),
        ("bn1.bias", np.full(32, 1e200), "not finite: bn1.bias."),
    ):
        path = save_checkpoint(tmp_path / "odd.pth", {**state_dict, name: value})
        flags = ["--dataset", "cifar10"]
        assert expected in complaint(capsys, "import", path, "--out", tmp_path / "run", *flags)
    path = tmp_path / "odd.pth"
    torch.save({"state_dict": {"a": torch.zeros(2, device="meta")}}, path)
    assert "tensors of an unsupported kind" in complaint(
        capsys, "import", path, "--out", tmp_path / "run"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["odd.pth"]


@pytest.mark.usefixtures("ready_network")
def test_numbers_in_the_file_are_kept_if_json_has_them(tmp_path, monkeypatch):
    odd = {"file": 5, "best_prec1": float("nan"), "x": torch.tensor(1j), "epoch": torch.tensor(7)}
    checkpoint = save_checkpoint(tmp_path / "a.pth", published_weights("cifar_resnet18a"), **odd)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for directory in (".", tmp_path / "link"):
        origin = import_checkpoint(checkpoint, directory).config["imported"]
        assert (origin["file"], origin["epoch"]) == ("a.pth", 7)
        assert set(origin) == {"file", "epoch", "sha256"}
    assert (tmp_path / "there" / "best.keras").exists()
    with pytest.raises(ValueError, match=r"\(--out\) must name a run directory, got ''"):
        import_checkpoint(checkpoint, "")


@pytest.mark.usefixtures("ready_network")
def test_run_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, capsys):
    checkpoint = save_checkpoint(tmp_path / "a.pth", published_weights("cifar_resnet18a"))

    def full(self, model, which):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "save_model", full)
    assert "No space left" in complaint(capsys, "import", checkpoint, "--out", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_existing_run_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    error = complaint(capsys, "import", tmp_path / "a.pth", "--out", tmp_path / "run")
    assert "exists and is not an empty directory" in error


@pytest.fixture
def thin_resnet18(monkeypatch):
    """Has ResNet-18 for ImageNet an eighth of its channels; the weights of a checkpoint of it."""
    thin = replace(models.IMAGENET_NETWORKS["resnet18_1w1a"], stages=THIN_STAGES)
    monkeypatch.setitem(models.IMAGENET_NETWORKS, "resnet18_1w1a", thin)
    monkeypatch.setitem(resnet.IMAGENET_STAGES, "resnet18_1w1a", THIN_STAGES)
    return {
        name: value[tuple(slice(size // 8 if size >= 64 else size) for size in value.shape)]
        for name, value in published_weights("imagenet_resnet18").items()
    }


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_run_for_a_folder_of_images_is_evaluated_and_exported(thin_resnet18, tmp_path, capsys):
    state_dict = thin_resnet18
    rng = np.random.default_rng(0)
    state_dict["fc.weight"] = rng.normal(size=(2, 64)).astype("float32")
    state_dict["fc.bias"] = np.zeros(2, np.float32)
    checkpoint = save_checkpoint(tmp_path / "a.pth", state_dict, epoch=3)
    for name in ("cat", "dog"):
        (tmp_path / "data" / "val" / name).mkdir(parents=True)
        for number in range(4):
            image = tf.cast(rng.integers(0, 256, (260, 300, 3)), tf.uint8)
            path = tmp_path / "data" / "val" / name / f"{number}.jpg"
            path.write_bytes(tf.io.encode_jpeg(image).numpy())
    run = import_checkpoint(checkpoint, tmp_path / "run", data_path=str(tmp_path / "data"))
    assert run.config["settings"]["dataset"] == "folder"
    assert cli.main(["evaluate", str(run.path)]) == 0
    assert "on 8 test images" in capsys.readouterr().out
    assert cli.main(["export", str(run.path)]) == 0
    assert "Verification on 8 test images of folder: passed" in capsys.readouterr().out
    error = complaint(capsys, "train", "--init_from", run.path, "--results_dir", tmp_path)
    assert "must hold the folder" in error
    (tmp_path / "data" / "val" / "dog" / "2.jpg").write_bytes(b"no image")
    error = complaint(capsys, "evaluate", run.path)
    assert "cannot be read: it is damaged" in error
