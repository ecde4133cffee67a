import json
import shlex

import numpy as np
import pytest
from conftest import few_digits, tiny_resnet

from experiments.commands.parser import command_parser
from experiments.pretrained import pack as pack_module
from experiments.pretrained.pack import main, pack
from recu_tf import models, pretrained
from recu_tf.runs import Run


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """No weights yet, and the small network of `finished_training`."""
    few_digits(monkeypatch, build=tiny_resnet)
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "index.json").write_text("{}")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    return folder


def test_packed_network_gives_the_outputs_of_the_best_one(finished_training, folder, capsys):
    run = finished_training.run
    assert main([str(run.path), "tiny", "--note", "as was the seed"]) == 0
    entry = pretrained.find("tiny")
    size = (folder / "tiny.npz").stat().st_size
    expected = f"{size:,} bytes, top-1 {entry.top_1:.2%} on 10 test images of digits, as published"
    assert expected in capsys.readouterr().out
    best = run.find_best_epoch()
    assert entry.top_1 == pytest.approx(best["val_accuracy"])  # one of them is in float32
    assert (entry.epoch, entry.epochs, entry.seed) == (best["epoch"], 4, 0)
    assert entry.chosen_on == "test images, as was the seed"
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    network = models.build("resnet20_1w1a", weights="digits")
    np.testing.assert_array_equal(network(images), run.load_model("best")(images))


def test_command_of_the_index_has_the_settings_of_the_run(finished_training, settings):
    entry = pack(finished_training.run, "tiny")
    options = command_parser().parse_args(shlex.split(entry.command)[1:])
    names = ("model", "dataset", "epochs", "batch_size", "lr", "warm_up", "seed")
    assert {name: getattr(options, name) for name in names} == {
        name: getattr(settings, name) for name in names
    }


def test_packing_again_replaces_the_network_and_keeps_others(finished_training, folder):
    for name in ("b", "a", "b"):
        pack(finished_training.run, name, command="recu train --seed 0")
    assert list(json.loads((folder / "index.json").read_text())) == ["a", "b"]
    assert sorted(path.name for path in folder.iterdir()) == ["a.npz", "b.npz", "index.json"]


def test_run_that_its_settings_do_not_repeat_needs_the_command(finished_copy, folder, capsys):
    finished_copy.config["init_from"] = "elsewhere"
    finished_copy.write_config()
    assert main([str(finished_copy.path), "tiny"]) == 2
    assert "`command` must be given: settings alone do not" in capsys.readouterr().err
    assert main([str(finished_copy.path), "tiny", "--command", "recu train --seed 0"]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]}}, "must have the usual normal"),
        ({"settings": {"model": "own", "dataset": "own"}}, "must be of a published network and"),
    ],
)
def test_networks_that_nobody_could_use_are_refused(finished_copy, folder, change, message):
    finished_copy.config.update(change)
    finished_copy.write_config()
    with pytest.raises(ValueError, match=message):
        pack(Run.open(finished_copy.path), "tiny")
    assert [path.name for path in folder.iterdir()] == ["index.json"]


def test_more_than_a_megabyte_is_refused(monkeypatch, finished_training, folder):
    monkeypatch.setattr(pack_module, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"would have [0-9,]+ bytes, more than 100"):
        pack(finished_training.run, "tiny")
    assert [path.name for path in folder.iterdir()] == ["index.json"]
