import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from conftest import shared
from larq_compute_engine.tflite.python.interpreter import Interpreter
from published import CHECKPOINT, NETWORKS, Malicious, published_weights

import export
from experiments import cli
from export.proof.images import data_set_of, verification_images
from recu_tf import data, pytorch, runs
from recu_tf.pytorch.importing import import_checkpoint
from recu_tf.runs import Run

torch = pytest.importorskip("torch", reason="needs torch, the extra of that name")


def saved(path, state_dict, **metadata):
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in state_dict.items()}
    torch.save({"state_dict": tensors, **metadata}, path)
    return path


def complaint(capsys, *arguments):
    assert cli.main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_import_makes_a_run_that_knows_where_it_comes_from(tmp_path, capsys):
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
    for ours, theirs in zip(best.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_imported_checkpoint_reaches_its_top_1_before_and_after_export(tmp_path, capsys):
    path = str(shared("data", "tfds"))
    run = import_checkpoint(shared(*CHECKPOINT), tmp_path / "run", data_path=path)
    images, labels = data.load("cifar10", "test", path)
    right = (run.load_model().predict(images, verbose=0).argmax(1) == labels).sum()
    # Stated beside the checkpoint: 6,936. Rounding may turn a sign in an image on the border.
    assert abs(int(right) - 6936) <= 2
    assert cli.main(["evaluate", str(run.path)]) == 0
    assert "top-1 69.3" in capsys.readouterr().out
    assert cli.main(["export", str(run.path)]) == 0
    assert "Verification on 1000 test images of cifar10: passed" in capsys.readouterr().out
    flatbuffer = (run.path / "export" / "model.tflite").read_bytes()
    logits = Interpreter(flatbuffer, num_threads=2, use_indirect_bgemm=True).predict(images)
    assert abs(int((logits.argmax(1) == labels).sum()) - 6936) <= 2


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


def kind(reference):
    return next(one for one in ("vgg", "two_stage", "imagenet", "cifar") if one in reference)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(name, marks=[] if name == "cifar_resnet20" else [pytest.mark.slow])
        for name in NETWORKS
    ],
)
def test_import_and_export_keep_every_network_binary(reference, tmp_path):
    model = pytorch.from_state_dict(published_weights(reference))
    flatbuffer = export.convert(model)
    audited = export.audit(flatbuffer, model)
    assert audited.passed, audited
    turn = set() if kind(reference) == "vgg" else {"REVERSE_V2"}
    binary = {"LceBconv2d", "LceQuantize"}
    assert set(audited.operators) <= OPERATORS[kind(reference)] | binary | turn
    assert audited.operators.get("REVERSE_V2", 0) == len(turn)
    images = np.random.default_rng(0).normal(size=(32, *model.input_shape[1:])).astype("float32")
    verification = export.verify(flatbuffer, model, images)
    assert verification.passed, verification


@pytest.mark.slow
def test_network_whose_images_are_not_at_hand_is_verified_on_random_ones(
    tmp_path, capsys, monkeypatch
):
    def read(split, data_path):
        raise OSError(f"nothing in {data_path}")

    cifar = data.DATASETS["cifar10"]
    monkeypatch.setitem(data.DATASETS, "cifar10", dataclasses.replace(cifar, read=read))
    state_dict = published_weights("cifar_resnet18a")
    checkpoint = saved(tmp_path / "a.pth", {f"module.{n}": v for n, v in state_dict.items()})
    run = import_checkpoint(checkpoint, tmp_path / "run")
    source = export.load(run.path)
    with pytest.raises(OSError, match="nothing in elsewhere"):
        # Told where to look, it does not make do with something else.
        verification_images(source, data_set_of(source, data_path="elsewhere"))
    images = verification_images(source, data_set_of(source))
    assert images.pixels.shape == (256, 32, 32, 3)
    assert images.labels is None
    assert images.source == "random images, for lack of real ones (nothing in None)"
    verification = export.verify(export.convert(run.load_model()), run.load_model(), images.pixels)
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
            state_dict["layer1.0.bn1.bias"][3] = np.nan
        saved(path, state_dict)
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
    assert [one.name for one in tmp_path.iterdir()] == ["bad.pth.tar"]


def test_odd_tensors_are_refused_by_name(tmp_path, capsys):
    state_dict = published_weights("cifar_resnet18a")
    for name, value, expected in (
        ("linear.weight", np.float32(1), "of a different shape: linear.weight ()"),
        ("layer1.0.conv1.weight", np.float32(1), "no published ReCU network"),
        ("bn1.bias", np.full(32, 1e200), "not finite: bn1.bias."),
    ):
        path = saved(tmp_path / "odd.pth", {**state_dict, name: value})
        flags = ["--dataset", "cifar10"]
        assert expected in complaint(capsys, "import", path, "--out", tmp_path / "run", *flags)
    path = tmp_path / "odd.pth"
    torch.save({"state_dict": {"a": torch.zeros(2, device="meta")}}, path)
    assert "tensors of an unsupported kind" in complaint(
        capsys, "import", path, "--out", tmp_path / "run"
    )
    assert [one.name for one in tmp_path.iterdir()] == ["odd.pth"]


def test_numbers_in_the_file_are_kept_if_they_can_be(tmp_path, monkeypatch):
    odd = {"file": 5, "best_prec1": float("nan"), "x": torch.tensor(1j), "epoch": torch.tensor(7)}
    checkpoint = saved(tmp_path / "a.pth", published_weights("cifar_resnet18a"), **odd)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for directory in (".", tmp_path / "link"):
        kept = import_checkpoint(checkpoint, directory).config["imported"]
        assert (kept["file"], kept["epoch"], set(kept)) == ("a.pth", 7, {"file", "epoch", "sha256"})
    assert (tmp_path / "there" / "best.keras").exists()
    with pytest.raises(ValueError, match=r"\(--out\) must name a run directory, got ''"):
        import_checkpoint(checkpoint, "")


def test_run_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, capsys):
    checkpoint = saved(tmp_path / "a.pth", published_weights("cifar_resnet18a"))

    def full(self, model, which):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "save_model", full)
    assert "No space left" in complaint(capsys, "import", checkpoint, "--out", tmp_path / "run")
    assert [one.name for one in tmp_path.iterdir()] == ["a.pth"]


def test_existing_run_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    error = complaint(capsys, "import", tmp_path / "a.pth", "--out", tmp_path / "run")
    assert "exists and is not an empty directory" in error


@pytest.mark.slow
def test_run_for_a_folder_of_images_is_evaluated_and_exported(tmp_path, capsys):
    state_dict = published_weights("imagenet_resnet18")
    rng = np.random.default_rng(0)
    state_dict["fc.weight"] = rng.normal(size=(2, 512)).astype("float32")
    state_dict["fc.bias"] = np.zeros(2, np.float32)
    checkpoint = saved(tmp_path / "a.pth", state_dict, epoch=3)
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
