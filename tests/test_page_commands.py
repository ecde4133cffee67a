"""The commands of pages run one after the other, on little data."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import few_digits, tiny_resnet
from photographs_of_classes import few_photographs
from PIL import Image
from published_weights import CHECKPOINT, shared
from test_page_code import OWN, find_blocks
from tiny_files import binary_file

from experiments.cli import main
from experiments.recipes import RECIPES
from recu_tf import models, pretrained
from recu_tf.models import imagenet_resnet18, resnet

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("few_measurements")]


def list_commands(page, program):
    """The words of each command of a page that runs a program."""
    shell = "".join(find_blocks(page, "sh")).replace("\\\n", "")
    lines = [line for line in shell.splitlines() if line.startswith(f"{program} ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run_commands(page, *, without=None, **replaced):
    """Runs the commands of `recu` on a page, and returns their names.

    Args:
        page: by its path in the project.
        without: what is in a word of the commands that are not run.
        replaced: options that get another value than on the page.
    """
    commands = list_commands(page, "recu")
    if without:
        commands = [words for words in commands if not any(without in word for word in words)]
    for words in commands:
        for option, value in replaced.items():
            if f"--{option}" in words:
                words[words.index(f"--{option}") + 1] = value
        assert main(words) == 0, words
    return [name for name, *_ in commands]


def run_python(words):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quick_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few_digits(monkeypatch, build=tiny_resnet)
    names = run_commands(f"{OWN}/quick_start.md", epochs="2")
    assert names == ["train", "evaluate", "export", "benchmark", "report"]
    run = tmp_path / "results" / "resnet20_1w1a_digits"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert {"report.html", "best.keras"} <= {path.name for path in run.iterdir()}


def test_from_a_folder_of_images_to_a_phone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = replace(imagenet_resnet18, stages=((1, 8),))
    monkeypatch.setitem(models.IMAGENET_NETWORKS, "resnet18_1w1a", small)
    for split, count in (("train", 10), ("val", 2)):
        for name, gray in (("cat", 40), ("dog", 200)):
            Path(f"photos/{split}/{name}").mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (80, 60), (gray + number, gray, gray))
                image.save(f"photos/{split}/{name}/{number}.jpg")
    names = run_commands(f"{OWN}/own_images.md", epochs="1")
    assert names == ["train"] * 5 + ["evaluate", "export", "verify", "benchmark"]
    (predict,) = list_commands(f"{OWN}/own_images.md", "python")
    assert predict.pop() == "photo.jpg"
    printed = run_python([*predict, "photos/val/dog/0.jpg"])
    assert {"cat", "dog"} == set(re.findall("cat|dog", printed.split(":")[-1]))


def test_training(tmp_path, monkeypatch):
    """All but ImageNet's, whose images are not here."""
    monkeypatch.chdir(tmp_path)
    small = replace(resnet.resnet20, stages=((1, 8),) * 3)
    few_digits(monkeypatch, build=small)
    monkeypatch.setitem(models.CIFAR_NETWORKS, "resnet18_1w1a", small)
    few_photographs(monkeypatch)
    for recipe in [name for name in RECIPES if name.startswith("cifar10-")]:
        short = {**RECIPES[recipe].settings, "epochs": 1}
        monkeypatch.setitem(RECIPES, recipe, replace(RECIPES[recipe], settings=short))
    names = run_commands("recu_tf/TRAINING.md", without="imagenet", epochs="1")
    assert names == ["train"] * 12
    for run, commands in (("20-epochs", 1), ("60-epochs", 1), ("fast", 2)):
        page = f"experiments/results/cifar10-resnet20-{run}/README.md"
        assert run_commands(page, epochs="1") == ["train"] * commands


def test_from_a_published_checkpoint_to_a_phone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few_photographs(monkeypatch)
    Path("model_best.pth.tar").symlink_to(shared(*CHECKPOINT))
    for name in ("model.tflite", "other.tflite"):
        Path(name).write_bytes(binary_file())
    page = "export/FROM_CHECKPOINT_TO_PHONE.md"
    names = run_commands(page, data_path=".", epochs="1", repeats="2")
    assert names == ["import", "evaluate", "summary", "export", "benchmark", "benchmark", "train"]


def test_pretrained_networks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    few_digits(monkeypatch, build=models.CIFAR_NETWORKS["resnet20_1w1a"])
    few_photographs(monkeypatch)
    names = run_commands("recu_tf/PRETRAINED.md", epochs="1")
    assert names == ["evaluate", "evaluate", "export", "benchmark", "summary", "train", "verify"]
    printed = capsys.readouterr().out
    name = "pretrained/cifar10-resnet20"
    for line in ("Binary convolutions: 18 of 18", f"{name}, the one exported", f"{name} (int8)"):
        assert line in printed
    assert Path("cifar10-resnet20_export/report.html").exists()
    description = json.loads(Path("cifar10-resnet20_export/model.json").read_text())
    assert description["source"] == pretrained.find("cifar10-resnet20").sha256
    assert description["class_names"][:2] == ["airplane", "automobile"]


def test_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few_photographs(monkeypatch)
    models.build("resnet20_1w1a", weights="cifar10").save("my_model.keras")
    few_digits(monkeypatch, build=tiny_resnet)
    train, *_ = list_commands(f"{OWN}/quick_start.md", "recu")
    assert main(train) == 0
    names = run_commands("export/EXPORT.md")
    assert names == ["export", "export", "verify"]
    Path("photos").mkdir()
    for path in ("photo.png", "photos/a.png"):
        Image.new("RGB", (32, 32)).save(path)
    for words in list_commands("export/EXPORT.md", "python"):
        assert run_python(words)
