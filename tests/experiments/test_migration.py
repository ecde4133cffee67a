"""The table of published flags in MIGRATION.md holds: each flag does what the table says."""

import re
import shlex
from pathlib import Path

import pytest

from experiments import cli, published_flags
from experiments.commands.parser import command_parser
from experiments.declarations import NETWORK
from experiments.training_settings import resolve
from recu_tf import data
from recu_tf.training import setup

PAGE = (Path(__file__).parents[2] / "recu_tf" / "MIGRATION.md").read_text("utf-8")
# What the parsers of the published folders know.
COMMON = """--results_dir --save --resume --evaluate -e --seed --model -a --dataset --data_path
    --type --gpus --lr --weight_decay --momentum --workers --epochs --start_epoch --batch_size -b
    --batch_size_test -bt --print_freq -p --time_estimate --lr_type --lr_decay_step --optimizer
    --warm_up --tau_min --tau_max"""
FOLDERS = {
    "cifar": {*COMMON.split()},
    "imagenet": {*COMMON.split(), "--use_dali"},
    "imagenet_two-stage": {*COMMON.split(), "--use_dali", "--teacher", "--stage1"},
}
TWO_STAGE = """--gpus 0,1,2,3 --model resnet18_1w1a --results_dir ./result --data_path DATA
    --dataset imagenet --epochs 256 --lr 1e-3 --optimizer adam --lr_type linear -b 512 -bt 256
    --lr_type cos --warm_up --weight_decay 0. --tau_min 0.85 --tau_max 0.99 --teacher resnet34
    --stage1 stage1.pth.tar"""


def rows():
    """Of the table: the examples of a flag, the defaults by folder, and what it does here."""
    table = PAGE.split("## Every flag")[1].split("## ")[0]
    for line in table.splitlines():
        if line.startswith("| `"):
            examples, *defaults, here = (cell.strip() for cell in line.strip("|").split("|"))
            yield re.findall("`([^`]+)`", examples), dict(zip(FOLDERS, defaults, strict=True)), here


def flags_of(example):
    return {word for word in example.split() if word.startswith("-")}


EXAMPLES = [
    pytest.param(example, here, id=example) for examples, _, here in rows() for example in examples
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_table_lists_every_published_flag(folder):
    listed = {
        flag
        for examples, defaults, _ in rows()
        for example in examples
        for flag in flags_of(example)
        if defaults[folder] != "-"
    }
    assert listed - {"--gpu"} == FOLDERS[folder]  # argparse completes that one by itself


@pytest.mark.parametrize(("example", "here"), EXAMPLES)
def test_published_flag_does_what_the_table_says(example, here, capsys):
    if here.startswith("refused"):
        assert cli.main(["train", *shlex.split(example)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith(f"recu: error: {example.split()[0]} ")
        return
    parser = command_parser()
    options = parser.parse_args(["train", *shlex.split(example)])
    plain = parser.parse_args(["train"])
    published_flags.check(options)
    if here.startswith("changes nothing"):
        assert [line.split()[0] for line in published_flags.notes(options)] == [example.split()[0]]
        assert resolve(options) == resolve(plain)
        return
    assert not published_flags.notes(options)
    before = vars(plain)
    changed = {name: value for name, value in vars(options).items() if before.get(name) != value}
    assert changed
    for name, value in changed.items():
        assert value is True or isinstance(value, list) or str(value) in example.split(), name
    # What is no setting and no place is for the training alone.
    elsewhere = {"resume", "stage1", "evaluate", "gpus", "print_freq", "time_estimate"}
    assert resolve(options) != resolve(plain) or set(changed) <= elsewhere


@pytest.mark.parametrize(("folder", "dataset"), [("cifar", "cifar10"), ("imagenet", "imagenet")])
def test_defaults_are_those_of_the_folder(folder, dataset):
    settings, _ = resolve(command_parser().parse_args(["train", "--dataset", dataset]))
    words = {"off": False, "none": (), "-1": 0}
    compared = []
    for examples, defaults, _ in rows():
        name = examples[0].split()[0].removeprefix("--")
        text = defaults[folder].split(",")[0].strip("`")
        if hasattr(settings, name) and text != "-" and name not in ("data_path", "workers"):
            value = getattr(settings, name)
            assert value == (words[text] if text in words else type(value)(text)), name
            compared.append(name)
    assert len(compared) == len(set(compared)) == 16


def test_published_second_stage_is_refused_with_what_to_write(capsys, monkeypatch):
    monkeypatch.setattr(setup, "prepare", lambda *_: pytest.fail("nothing is to be made"))
    assert cli.main(["train", *shlex.split(TWO_STAGE)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--teacher must be a full-precision network" in error
    assert "got 'resnet34': there is no such file or run, and networks of torchvision are" in error


@pytest.mark.parametrize("teacher", ["resnet34", "nowhere.keras", "weights.pth"])
def test_teacher_is_refused_before_images_are_read(teacher, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "load_training_set", lambda *_, **__: pytest.fail("reads the images"))
    where = ["--results_dir", str(tmp_path / "results")]
    assert cli.main(["train", "--dataset", "digits", "--teacher", teacher, *where]) == 2
    error = capsys.readouterr().err
    assert "eacher" in error
    assert "must be " in error
    assert NETWORK in error
    assert f"got {teacher!r}" in error
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("name", "folder"),
    [("cifar10", "cifar-10-batches-py"), ("cifar100", "cifar-100-python")],
)
def test_torchvision_s_cifar_is_refused_before_anything_is_downloaded(name, folder, tmp_path):
    (tmp_path / folder).mkdir()
    with pytest.raises(FileNotFoundError, match=f"torchvision's {folder}, pickles that are not re"):
        data.load(name, "train", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [folder]
