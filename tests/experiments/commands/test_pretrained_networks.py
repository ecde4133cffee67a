"""--pretrained, and `pretrained/NAME` where a command takes a network.

tests/test_page_commands.py exports, verifies and benchmarks one.
"""

import json

import pytest
from complaints import complaint

from experiments import cli
from experiments.commands.parser import command_parser
from experiments.training_settings import resolve
from recu_tf import pretrained

NAME = "digits-resnet20"
PATH = f"pretrained/{NAME}"


@pytest.fixture(autouse=True)
def _other_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_evaluation_is_on_the_data_set_of_the_training(capsys):
    assert cli.main(["evaluate", "--pretrained", NAME]) == 0
    title, top_1, *_ = capsys.readouterr().out.splitlines()
    assert title == f"{PATH} on 360 test images of digits"
    entry = pretrained.find(NAME)
    # Other processors sum in another order, and an image on the border may fall to the other side.
    assert float(top_1.split()[1][:-1]) == pytest.approx(100 * entry.top_1, abs=100 * 2 / 360)


def test_summary_lists_the_layers(capsys):
    assert cli.main(["summary", "--pretrained", NAME]) == 0
    assert "layer3.2.conv2" in capsys.readouterr().out


def test_training_that_begins_with_it_has_its_network_and_data_set():
    for flags, dataset in ((), "digits"), (("--dataset", "cifar10"), "cifar10"):
        options = command_parser().parse_args(["train", "--init-from", PATH, *flags])
        settings, _ = resolve(options)
        assert (settings.model, settings.dataset) == ("resnet20_1w1a", dataset)


@pytest.mark.slow
def test_training_begins_with_it(tmp_path, capsys):
    flags = [
        "--init_from",
        PATH,
        "--epochs",
        "1",
        "--batch_size",
        "128",
        "--lr",
        "1e-5",
        "--gpus",
        "0",
    ]
    assert cli.main(["train", *flags, "--save", "further"]) == 0
    (line,) = (tmp_path / "results/further/metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["val_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("evaluate", "arguments are required: NETWORK or --pretrained"),
        ("benchmark", "arguments are required: NETWORK or --pretrained"),
        (f"evaluate run --pretrained {NAME}", "not both be given, got 'run' and 'digits-resnet20'"),
        ("summary --pretrained digits", "--pretrained: invalid choice: 'digits' (choose from"),
        (f"export --pretrained {NAME} --which last", f"`which` is for run directories, {PATH} is"),
        (f"export --pretrained {NAME} --weights digits", f"is for names of networks, {PATH} has"),
        (f"evaluate --pretrained {NAME} --dataset cifar100", "cifar100 has 100 classes, the netw"),
        ("evaluate pretrained/digits", "pretrained/digits does not exist; it must be a folder"),
        ("evaluate resnet20_1w1a --weights imagenet", "no resnet20_1w1a trained on imagenet comes"),
        (f"benchmark {PATH} --pretrained {NAME}", "twice"),
    ],
)
def test_mistakes_are_refused_in_one_line(arguments, message, capsys):
    assert message in complaint(capsys, *arguments.split())
