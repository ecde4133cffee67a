"""Tests of trainings as jobs."""

import json
import shlex

import numpy as np
import pytest
from conftest import tiny_resnet
from photographs_of_classes import few_photographs

from experiments.jax_training.write_job import main, make_recipe_job, make_trial_job
from experiments.speedrun.trial_list import TRIALS
from recu_tf import models, schedules
from recu_tf.settings import Settings

COUNTS = 1437, 360  # of the digits


def test_a_recipe_has_the_rates_temperatures_and_weights_of_its_training():
    settings = Settings(
        model="resnet20_1w1a", dataset="digits", epochs=4, batch_size=100, lr_type="one_cycle"
    )
    job = make_recipe_job("digits", settings, COUNTS)
    rate = schedules.learning_rate(1 + 7 / 14, 4, lr=settings.lr, lr_type="one_cycle")
    assert job.rates.shape == (4, 14)
    assert job.rates[1, 7] == np.float32(rate)
    assert job.taus[2] == np.float32(schedules.exponential_tau(2, 4))
    assert (len(job.training), len(job.evaluated)) == COUNTS
    assert job.settings["model"] == "resnet20_1w1a"


def test_a_published_rate_is_that_of_its_epoch():
    settings = Settings(
        model="resnet20_1w1a", dataset="digits", epochs=6, batch_size=1000, warm_up=True
    )
    job = make_recipe_job("digits", settings, COUNTS)
    assert job.rates[:, 0] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.05])


def test_a_trial_trains_without_the_images_that_are_held_out():
    labels = np.arange(1000) % 10
    job = make_trial_job(TRIALS["base"], labels)
    assert (len(job.training), len(job.evaluated)) == (900, 100)
    assert not set(job.training) & set(job.evaluated)
    assert job.rates.shape == (5, 900 // 64)
    assert job.settings == {}


@pytest.mark.parametrize("name", ["from_float", "average", "whitened_stem", "small24", "taught"])
def test_a_trial_that_needs_more_than_its_step_is_refused(name):
    with pytest.raises(ValueError, match=f"must need its training step alone, got {name}"):
        make_trial_job(TRIALS[name], np.arange(100) % 10)


def test_options_of_recu_train_override_those_of_the_recipe(tmp_path, monkeypatch, capsys):
    few_photographs(monkeypatch)
    monkeypatch.setitem(models.CIFAR_NETWORKS, "resnet20_1w1a", tiny_resnet)
    words = shlex.split(
        "--recipe cifar10-resnet20 --data_path . --save muon --seed 3 --optimizer muon --nesterov "
        "--no-warm_up --lr-type one_cycle_quadratic --batch_size 5 --epochs 4"
    )
    main([str(tmp_path), *words])
    assert capsys.readouterr().out == f"{tmp_path / 'muon'}: 4 epochs of 2 steps\n"
    settings = Settings.of_config(
        json.loads((tmp_path / "muon" / "job.json").read_text())["settings"]
    )
    assert (settings.optimizer, settings.seed, settings.nesterov) == ("muon", 3, True)
    with np.load(tmp_path / "muon" / "arrays.npz") as arrays:
        rate = schedules.learning_rate(1.5, 4, lr=settings.lr, lr_type="one_cycle_quadratic")
        assert arrays["rates"][1, 1] == np.float32(rate)
    with np.load(tmp_path / "images.npz") as images:
        assert len(images["labels"]) == 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--trial base --lr 0.2", "--lr is for a recipe, got the trial base."),
        (
            "--recipe cifar10-resnet20 --lr -1",
            "`lr` must be a finite number above 0, got -1.0.",
        ),
        ("--trial base --save a/b", "--save must be a name inside {}, got 'a/b'."),
        ("--trial taken", "argument --trial: invalid choice: 'taken'"),
        ("--trial base --save taken", "{}/taken exists; choose another name with --save."),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(tmp_path, capsys, words, message):
    (tmp_path / "taken").mkdir()
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path), "--data_path", ".", *words.split()])
    error = capsys.readouterr().err
    assert message.format(tmp_path) in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
