"""`recu train`: the options of the published command line, and those added to it."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import few_digits, shared, tiny_resnet
from network_formats import skip_without_torch, use_small_network

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.recipes import RECIPES
from experiments.training_settings import resolve
from recu_tf import runs
from recu_tf.settings import Settings

# The published commands, without "python -u main.py".
CIFAR10 = """--gpus 0 --model resnet18_1w1a --results_dir ./result --data_path DATA
    --dataset cifar10 --epochs 600 --lr 0.1 -b 256 -bt 128 --lr_type cos --warm_up
    --weight_decay 5e-4 --tau_min 0.85 --tau_max 0.99 --seed 123"""
IMAGENET = """--gpus 0,1 --model resnet34_1w1a --results_dir ./result --data_path DATA
    --dataset imagenet --epochs 200 --lr 0.1 -b 512 -bt 256 --lr_type cos --warm_up
    --weight_decay 1e-4 --tau_min 0.85 --tau_max 0.99 --use_dali"""
SMALL = "--dataset digits -a resnet20_1w1a -b 12 -bt 5"


def resolved(command):
    return resolve(command_parser().parse_args(["train", *shlex.split(command)]))


def test_published_commands_mean_what_they_meant():
    settings, directory = resolved(CIFAR10)
    assert settings == Settings(data_path="DATA", warm_up=True, seed=123)
    assert str(directory) == "result/resnet18_1w1a_cifar10"
    settings, directory = resolved(IMAGENET)
    assert settings == Settings(
        model="resnet34_1w1a",
        dataset="imagenet",
        data_path="DATA",
        epochs=200,
        batch_size=512,
        batch_size_test=256,
        weight_decay=1e-4,
        warm_up=True,
    )
    assert str(directory) == "result/resnet34_1w1a_imagenet"


def test_imagenet_has_the_defaults_of_its_folder():
    expected = {"epochs": 200, "batch_size": 512, "batch_size_test": 256, "weight_decay": 1e-4}
    assert resolved("--dataset imagenet")[0] == Settings(dataset="imagenet", **expected)
    assert resolved("--dataset imagenet -b 64")[0].batch_size == 64
    assert resolved("--dataset tinyimagenet")[0] == Settings(dataset="tinyimagenet")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--lr_type step --lr_decay_step 30 60 90", {"lr_decay_step": (30, 60, 90)}),
        ("--lr-type step --lr-decay-step 30,60", {"lr_decay_step": (30, 60)}),
        ("--optimizer adam --lr 1e-3 --no-warm_up", {"optimizer": "adam", "warm_up": False}),
        ("--start_epoch -1 --workers 0", {"start_epoch": 0, "workers": None}),
        ("--start_epoch 5 --workers 8", {"start_epoch": 5, "workers": 8}),
        ("--time_estimate 0 -p 10 --type torch.cuda.FloatTensor", {}),
        ("--precision mixed_float16 --jit --steps-per-execution 4", {"steps_per_execution": 4}),
        (
            "--batch_norm_gamma 0.2 --batch-norm-momentum 0.99",
            {"batch_norm_gamma": 0.2, "batch_norm_momentum": 0.99},
        ),
        ("--strategy mirrored --sync-batch-norm --no-diagnostics", {"sync_batch_norm": True}),
    ],
)
def test_flags_become_settings(flags, expected):
    settings, _ = resolved(flags)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if not recipe.needs])
def test_recipe_is_overridden_by_options(name):
    settings, directory = resolved(f"--recipe {name} --epochs 20 --save again")
    expected = {**RECIPES[name].settings, "epochs": 20}
    assert {key: getattr(settings, key) for key in expected} == expected
    assert str(directory) == "results/again"


def test_recipes_are_listed_without_tensorflow():
    code = (
        "import sys\nfrom experiments import cli\n"
        "assert cli.main(['recipes']) == 0\n"
        "assert not {'tensorflow', 'recu_tf', 'export'} & set(sys.modules), 'loaded'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert "92.80" in lines[0]
    assert "--epochs 600" in lines[0]


def test_dry_run_prints_everything_and_writes_nothing(monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch, build=tiny_resnet)
    where = ["--results_dir", str(tmp_path / "results")]
    nothing = ["--use_dali", "--type", "torch.cuda.FloatTensor"]
    assert cli.main(["train", *SMALL.split(), "--epochs", "3", "--dry-run", *where, *nothing]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("--type torch.cuda.FloatTensor changes nothing: --precision and ")
    assert "\n--use_dali changes nothing: " in printed
    assert re.search(r"^batch_size +12$", printed, re.MULTILINE)
    assert "layer1.0.conv1" in printed
    assert "24 training images in 2 steps of 12, on 1 device; 10 test images" in printed
    assert "s a step (median of 5)" in printed
    assert printed.endswith("for 3 epochs\nNothing was written.\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_training_is_evaluated_resumed_and_started_from(trained_run, monkeypatch, tmp_path, capsys):
    few_digits(monkeypatch, build=tiny_resnet)
    first = shutil.copytree(trained_run, tmp_path / "first")

    assert cli.main(["train", "-e", str(first / "last.keras"), "-bt", "4"]) == 0
    last = runs.Run.open(first).metrics()[-1]
    assert f"top-1 {last['val_accuracy']:.2%}" in capsys.readouterr().out

    # Nothing is left to train, and its settings need not be repeated.
    resume = ["train", "--resume", "--results_dir", str(tmp_path), "--save", "first"]
    assert cli.main(resume) == 0
    printed = capsys.readouterr().out
    assert "Epoch" not in printed
    assert "Best epoch" in printed
    assert cli.main([*resume, "--momentum", "0.5"]) == 2
    error = capsys.readouterr().err
    assert "settings that the run began with, got momentum 0.5 instead of 0.9" in error

    # Started from a file, with fresh schedules, at a rate that changes nothing.
    start = ["--init-from", str(first / "last.keras"), "--lr", "1e-9", "--weight_decay", "0"]
    where = ["--epochs", "2", "--results_dir", str(tmp_path), "--save", "again"]
    assert cli.main(["train", *SMALL.split(), *where, *start]) == 0
    again = runs.Run.open(tmp_path / "again")
    assert again.config["init_from"] == str(first / "last.keras")
    kernels = [
        run.load_model("last").get_layer("layer1.0.conv1").get_weights()[0]
        for run in (runs.Run.open(first), again)
    ]
    assert abs(kernels[0] - kernels[1]).max() < 1e-6


@pytest.mark.slow
def test_published_checkpoint_is_trained_again(written_formats, monkeypatch, tmp_path, capsys):
    skip_without_torch("checkpoint")
    use_small_network(monkeypatch)
    model, paths = written_formats
    where = ["--epochs", "1", "--results_dir", str(tmp_path), "--save", "run"]
    start = ["--init-from", str(paths["checkpoint"]), "--lr", "1e-9", "--weight_decay", "0"]
    assert cli.main(["train", *SMALL.split(), *start, *where]) == 0
    assert "Best epoch 1" in capsys.readouterr().out
    trained = runs.Run.open(tmp_path / "run").load_model("last")
    assert "rotate180" in [layer.name for layer in trained.layers]
    kernels = [network.get_layer("layer1.0.conv1").get_weights()[0] for network in (model, trained)]
    assert abs(kernels[0] - kernels[1]).max() < 1e-6


def test_checkpoint_of_another_network_is_refused_by_name(tmp_path, capsys):
    checkpoint = shared("checkpoints", "resnet20_1w1a_cifar10.pth.tar")
    flags = ["--dataset", "digits", "--results_dir", str(tmp_path), "--init-from", str(checkpoint)]
    assert cli.main(["train", *flags]) == 2
    error = capsys.readouterr().err
    assert "`init_from` must be a checkpoint of resnet18_1w1a" in error
    assert f"{checkpoint} is one of resnet20_1w1a." in error
