from dataclasses import replace

import numpy as np
import pytest
from small_networks import SMALL_STAGES

from experiments.speedrun import trial_images
from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_training import CHECKPOINT, train_trial
from recu_tf import models


@pytest.fixture(autouse=True)
def few_images_and_blocks(monkeypatch):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 6)
    pixels = random.integers(0, 256, (60, 32, 32, 3), np.uint8)
    monkeypatch.setattr(trial_images.data, "load", lambda *args, **kwargs: (pixels, labels))
    small = replace(models.CIFAR_NETWORKS["resnet20_1w1a"], stages=SMALL_STAGES)
    monkeypatch.setitem(models.CIFAR_NETWORKS, "resnet20_1w1a", small)


def train(trial, directory):
    return train_trial(trial, directory, "nowhere", log=lambda line: None)


def read_weights(directory):
    with np.load(directory / CHECKPOINT) as file:
        return {name: file[name] for name in file if name.startswith(("weight", "slot", "average"))}


TRIAL = Trial("small", epochs=3, batch_size=32, average_from=0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"optimizer": "adam", "lr": 1e-3}, marks=pytest.mark.slow),
        pytest.param(
            {"first_stage": "binary_activations", "first_epochs": 1, "average_from": 1.0},
            marks=pytest.mark.slow,
        ),
        pytest.param({"small_epochs": 1, "average_from": 1.0}, marks=pytest.mark.slow),
    ],
)
def test_interrupted_trial_resumes_bit_for_bit(changes, tmp_path):
    trial = replace(TRIAL, **changes)
    whole = train(trial, tmp_path / "whole")

    def stop(line):
        raise KeyboardInterrupt(line)

    for epoch in range(trial.epochs):
        with pytest.raises(KeyboardInterrupt, match=f'"epoch": {epoch}'):
            train_trial(trial, tmp_path / "parts", "nowhere", log=stop)
    parts = train(trial, tmp_path / "parts")
    for line in (*whole, *parts):
        assert line.pop("seconds") >= 0  # rounded
    assert parts == whole
    expected, found = read_weights(tmp_path / "whole"), read_weights(tmp_path / "parts")
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_average_has_its_own_top_1_and_statistics(tmp_path):
    lines = train(TRIAL, tmp_path)
    assert ["averaged_top_1" in line for line in lines] == [False, False, True]


@pytest.mark.parametrize(
    ("changes", "moved"),
    [({"l2": 0.5}, True), ({"l2": 0.5, "l2_on": "not_binary"}, False), ({"kernel_lr": 2.0}, True)],
)
def test_change_reaches_the_binary_kernels_or_leaves_them(changes, moved, tmp_path):
    first = replace(TRIAL, epochs=1, batch_size=64, average_from=1.0, l2=0.0)
    kernels = []
    for trial in (first, replace(first, **changes)):
        train(trial, tmp_path / str(len(kernels)))
        found = read_weights(tmp_path / str(len(kernels)))
        kernels.append(max(found.values(), key=np.size))
    assert np.array_equal(*kernels) != moved
