import functools
import importlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import tensorflow as tf
from complaints import complaint
from conftest import few_digits, shared, tiny_resnet
from PIL import Image

from experiments import cli
from experiments.commands import demo
from experiments.commands.parser import COMMANDS, command_parser
from recu_tf import data, models, runs


def recu(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("export", ""), "NETWORK"),
        (("export", "net.keras", "--out", ""), "--out"),
        (("export", "net.keras", "--data-path="), "--data_path/--data-path"),
        (("evaluate", ""), "NETWORK"),
        (("benchmark", "net.keras", ""), "NETWORK"),
        (("benchmark", "net.keras", "--json", ""), "--json"),
        (("summary", ""), "NETWORK"),
        (("report", ""), "RUN"),
        (("import", "", "--out", "x"), "CHECKPOINT"),
        (("import", "x.pth", "--out", ""), "--out"),
        (("train", "--save", ""), "--save"),
        (("demo", "--results_dir", ""), "--results_dir/--results-dir"),
    ],
)
def test_empty_arguments_are_refused_by_name(arguments, named, capsys):
    assert complaint(capsys, *arguments) == (
        f"recu {arguments[0]}: error: argument {named}: must have at least one character, got ''\n"
    )


@pytest.fixture
def run(trained_run, monkeypatch, tmp_path):
    """A copy of the trained run."""
    few_digits(monkeypatch, build=tiny_resnet)
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.mark.parametrize("command", [command.NAME for command in COMMANDS])
def test_help_explains_every_option_without_tensorflow(command):
    code = (
        "import sys\nfrom experiments import cli\n"
        f"try: cli.main([{command!r}, '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'tensorflow', 'recu_tf', 'export'} & set(sys.modules), 'loaded'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"usage: recu {command}")
    parser = command_parser()._subparsers._group_actions[0].choices[command]
    for action in parser._actions:
        assert action.help, action.dest


def test_hyphens_do_for_underscores():
    parsed = command_parser().parse_args(["train", "--batch-size", "7", "--no-warm-up"])
    assert (parsed.batch_size, parsed.warm_up) == (7, False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "recu: error: a COMMAND is needed"),
        ("traln", "recu: error: argument COMMAND: invalid choice: 'traln'"),
        ("train --epoch 3", "recu: error: unrecognized arguments: --epoch 3"),
        ("train --epochs many", "recu train: error: argument --epochs: invalid int value: 'many'"),
        ("train --epochs 0", "recu: error: `epochs` must be at least 1, got 0"),
        ("train --model resnet19", "argument --model/-a: invalid choice: 'resnet19'"),
        ("train --dataset mnist", "argument --dataset: invalid choice: 'mnist'"),
        ("train --lr -1", "`lr` must be a finite number above 0, got -1.0"),
        ("train --lr nan", "`lr` must be a finite number above 0, got nan"),
        ("train -b 0", "`batch_size` must be at least 1, got 0"),
        ("train --tau_min 0.5", "`tau_min` must lie in (0.5, 1], got 0.5"),
        ("train --tau_min 0.99 --tau_max 0.9", "`tau_min` must not exceed `tau_max`"),
        ("train --lr_type step", "`lr_decay_step` must name at least one epoch"),
        (
            "train --lr_decay_step 30;60",
            "must be epochs separated by commas or spaces, got '30;60'",
        ),
        ("train --save ../elsewhere", "--save must be a name inside --results_dir, got"),
        ("train --save .", "--save must be a name inside --results_dir, got"),
        ("train --save /elsewhere", "--save must be a name inside --results_dir, got"),
        ("evaluate", "recu evaluate: error: the following arguments are required: NETWORK"),
        ("evaluate nowhere", "nowhere does not exist; it must be a folder with a model.tflite"),
        ("evaluate nowhere --which worst", "argument --which: invalid choice: 'worst'"),
        ("export nowhere", "nowhere does not exist; it must be a run directory, a .keras file"),
        ("train --init_from nowhere --dataset digits -a resnet20_1w1a", "got 'nowhere'"),
        ("train --dataset tinyimagenet --data_path nowhere", "must hold the folder nowhere/train"),
        ("train --model vgg_small_1w1a --dataset imagenet", "must be one of resnet18_1w1a, "),
        ("train --recipe resnet", "argument --recipe: invalid choice: 'resnet'"),
        ("train --recipe cifar10-resnet18-finetune", "needs --init_from, which was not given"),
        ("train --start_epoch 600", "`start_epoch` must lie in 0 ... epochs - 1 = 599, got 600"),
        ("train --optimizer lion", "argument --optimizer: invalid choice: 'lion'"),
        ("train --strategy multiworker", "needs the environment variable TF_CONFIG"),
        ("train --gpus zero", "--gpus must be numbers separated by commas, got 'zero'"),
        ("train -e nowhere", "nowhere"),
        ("import", "the following arguments are required: CHECKPOINT, --out"),
        ("import nothing.pth --out RUN", "nothing.pth is not a file: there is no checkpoint"),
        ("import a.pth --out RUN --dataset mnist", "argument --dataset: invalid choice: 'mnist'"),
        ("summary resnet34_1w1a --dataset cifar10", "`name` must be one of resnet20_1w1a, "),
        (
            "summary nothing",
            "NETWORK must be a .tflite file, a run directory, a .keras file, a .h5",
        ),
        ("summary resnet20_1w1a --dataset mnist", "invalid choice: 'mnist'"),
        (
            "export net.keras -b x",
            "argument --batch_size/-b/--batch-size: must be a whole number from 1, got 'x'",
        ),
        ("export net.keras -b 0", "must be a whole number from 1, got '0'"),
        ("benchmark", "the following arguments are required: NETWORK"),
        (
            "benchmark nothing.tflite",
            "nothing.tflite does not exist; NETWORK must be a folder with a",
        ),
        ("demo --epochs 0", "`epochs` must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, expected, capsys):
    assert expected in complaint(capsys, *arguments.split())


def test_errors_reach_the_shell_without_traceback():
    result = recu("export", "net.keras", "--scale", "0")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "recu export: error: argument --scale: must be a number above 0 or a fraction such as "
        "1/255, got '0'\n"
    )


def test_what_does_not_exist_is_named_with_what_may_be_given(capsys):
    assert complaint(capsys, "export", "nowhere") == (
        "recu: error: nowhere does not exist; it must be a run directory, a .keras file, a .h5 "
        "file, a SavedModel directory, a published checkpoint (.pth.tar, .pth) or pretrained/ "
        "before a name that --pretrained takes.\n"
    )


def test_version_is_printed():
    result = recu("--version")
    assert (result.returncode, result.stdout) == (0, f"recu_tf {version('recu_tf')}\n")


def test_run_goes_from_training_to_a_verified_file(run, capsys):
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["seed"] == 3
    assert config["settings"]["warm_up"] is False

    assert cli.main(["evaluate", str(run), "--which", "last"]) == 0
    printed = capsys.readouterr().out
    assert "last.keras on 10 test images" in printed
    last = runs.Run.open(run).metrics()[-1]
    assert f"top-1 {last['val_accuracy']:.2%}" in printed
    assert f"loss  {last['val_loss']:.3f}" in printed

    assert cli.main(["summary", str(run)]) == 0
    assert "layer1.0.conv2" in capsys.readouterr().out

    assert cli.main(["export", str(run), "--which", "last", "--no-check_accuracy"]) == 0
    printed = capsys.readouterr().out
    assert "Binary convolutions: 2 of 2" in printed
    assert "Verification on 10 test images of digits: passed" in printed
    assert "indirect bgemm" in printed
    assert (run / "export" / "model.tflite").read_bytes()[4:8] == b"TFL3"
    assert "Rewriting: freeze quantized kernels: 2 layers, outputs unchanged" in printed
    assert "resnet20_1w1a" not in (run / "export" / "predict.py").read_text()
    assert json.loads((run / "export" / "model.json").read_text())["class_names"][3] == "3"

    assert cli.main(["verify", str(run / "export")]) == 0
    printed = capsys.readouterr().out
    assert "last.keras, the one exported" in printed
    assert "Verification on 10 test images of digits: passed" in printed


@pytest.mark.slow
def test_training_starts_from_a_run(run, tmp_path, capsys):
    flags = ["--epochs", "1", "-b", "12", "--results_dir", str(tmp_path), "--init-from", str(run)]
    assert (
        cli.main(["train", *flags, "--save", "again", "--lr", "1e-9", "--weight_decay", "0"]) == 0
    )
    assert "Best epoch 1" in capsys.readouterr().out
    first, again = runs.Run.open(run), runs.Run.open(tmp_path / "again")
    assert again.config["init_from"] == str(run)
    assert again.config["settings"]["dataset"] == "digits"
    kernels = [
        trained.load_model().get_layer("layer1.0.conv1").get_weights()[0]
        for trained in (first, again)
    ]
    # At this learning rate a step changes nothing that float32 shows beside the weights.
    np.testing.assert_allclose(kernels[1], kernels[0], atol=1e-6)
    flags[flags.index("--init-from")] = "--init_from"
    error = complaint(capsys, "train", *flags, "--model", "vgg_small_1w1a", "--save", "other")
    assert f"`init_from` must be a run of vgg_small_1w1a, {run} is one of resnet20_1w1a." in error
    assert not (tmp_path / "other").exists()


def test_run_directory_is_not_overwritten(run, capsys):
    error = complaint(
        capsys, "train", "--epochs", "1", "--results_dir", str(run.parent), "--save", "run"
    )
    assert "already holds a run. Train it further with --resume" in error


@pytest.mark.parametrize("step", ["audit", "verify"])
def test_export_that_fails_the_verification_leaves_the_earlier_one(
    step, tmp_path, capsys, monkeypatch
):
    layers = (tf.keras.layers.Flatten(), tf.keras.layers.Dense(2))
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 3)), *layers])
    model.save(tmp_path / "net.keras")
    earlier = tmp_path / "net_export"
    earlier.mkdir()
    (earlier / "model.json").write_text('{"format": 1, "input": 0, "output": 0, "files": 0}')
    found = {"passed": False, "rows": (), "shifted": (), "wide": (), "backends": ()}
    found |= {"computed": False, "reference_right": False, "wrong_layer": None, "delegate": None}
    found |= {"__str__": lambda self: "the report"}
    failing = type("Failing", (), found)()
    module = importlib.import_module("export.pipeline")
    monkeypatch.setattr(module, step, lambda *_, **__: failing)
    assert cli.main(["export", str(tmp_path / "net.keras"), "--strict"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("recu: export failed, no file was written: ")
    assert "the report\n" in error
    assert f"{earlier} still holds the earlier export, of the network as it was then." in error
    assert [path.name for path in earlier.iterdir()] == ["model.json"]
    assert not list(tmp_path.glob(".*partial*"))


@pytest.mark.slow
def test_demo_prints_its_results_and_keeps_earlier_runs(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch, build=tiny_resnet)
    # The network that comes along is the whole ResNet-20, which tiny_resnet replaces.
    monkeypatch.setattr(demo, "draw_picture", lambda run, accuracy, path: path.touch())
    for name in ("demo", "demo-2"):
        (tmp_path / name).mkdir()
    assert cli.main(["demo", "--epochs", "1", "--results_dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "demo-3" / "export" / "model.tflite").exists()
    assert (tmp_path / "demo-3" / "predictions.png").exists()
    for name in ("demo", "demo-2"):
        assert not list((tmp_path / name).iterdir())
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table] == [
        "accuracy, Keras",
        "accuracy, TFLite",
        "size, binary",
        "size, float32",
        "binary operators",
        "binary convolutions",
        "training",
        "file",
        "picture",
        "latency, delegate",
        "latency, engine",
        "latency, float32",
    ]
    assert "2 of 2" in table[5]
    last = printed.splitlines()[-1]
    assert last.startswith("The file is ")
    assert " times as fast as float32 here on 1 thread: " in last


def test_demo_draws_digits_and_photographs(finished_training, tmp_path):
    demo.draw_picture(finished_training.run, 0.5, tmp_path / "predictions.png")
    with Image.open(tmp_path / "predictions.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500


def test_demo_has_a_directory_of_its_own(tmp_path):
    assert demo.find_free_directory(tmp_path) == tmp_path / "demo"
    (tmp_path / "demo").mkdir()
    assert demo.find_free_directory(tmp_path) == tmp_path / "demo-2"


@pytest.mark.slow
def test_cifar10_is_trained_evaluated_and_exported(monkeypatch, tmp_path, capsys):
    path = str(shared("data", "tfds"))
    cifar = data.DATASETS["cifar10"]

    @functools.cache
    def read(*arguments):
        return tuple(array[:64] for array in cifar.read(*arguments))

    few = data.Dataset(cifar.class_names, cifar.normalization, cifar.flip, read)
    monkeypatch.setitem(data.DATASETS, "cifar10", few)
    monkeypatch.setitem(models.CIFAR_NETWORKS, "resnet20_1w1a", tiny_resnet)
    flags = ["--recipe", "cifar10-resnet20", "--data_path", path, "--epochs", "1", "-b", "32"]
    assert cli.main(["train", *flags, "--results_dir", str(tmp_path)]) == 0
    run = str(tmp_path / "cifar10-resnet20")
    assert cli.main(["evaluate", run]) == 0
    assert cli.main(["export", run, "--no-check_accuracy"]) == 0
    assert "Binary convolutions: 2 of 2" in capsys.readouterr().out
