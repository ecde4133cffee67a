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
        kinds = "weight", "slot", "average", "teacher", "mean"
        return {name: file[name] for name in file if name.startswith(kinds)}


TRIAL = Trial("small", epochs=3, batch_size=32, average_from=0.5)
TAUGHT_BY_FIRST = {"first_starts": False, "first_teaches": True, "distill_weight": 0.9}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"optimizer": "adam", "lr": 1e-3}, marks=pytest.mark.slow),
        pytest.param(
            {"first_stage": "binary_activations", "first_epochs": 1, "average_from": 1.0},
            marks=pytest.mark.slow,
        ),
        {"first_stage": "float_relu", "first_epochs": 1, "average_from": 1.0, **TAUGHT_BY_FIRST},
        pytest.param({"small_epochs": 1, "average_from": 1.0}, marks=pytest.mark.slow),
        pytest.param(
            {"small_epochs": 1, "average_from": 1.0, "mean_teacher": 0.9, "distill_weight": 0.5},
            marks=pytest.mark.slow,
        ),
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


@pytest.mark.slow
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


def test_width_that_falls_with_the_rate_reaches_the_first_kernel(tmp_path):
    trial = replace(TRIAL, epochs=1, batch_size=64, average_from=1.0)
    first = []
    # In the first epoch of the warm-up the rate is a fifth of the highest.
    for changes in ({}, {"last_width": 0.5}, {"width": 0.5 + 0.5 / 5}):
        train(replace(trial, **changes), tmp_path / str(len(first)))
        first.append(read_weights(tmp_path / str(len(first)))["weight/0"])
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_allclose(first[1], first[2], atol=1e-6)  # float32


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["turn", "muon", "adam"])
def test_optimizer_of_kernels_keeps_the_size_of_filters_and_turns_them(optimizer, tmp_path):
    trial = replace(TRIAL, epochs=2, average_from=1.0, kernel_optimizer=optimizer, kernel_lr=0.1)
    kernels = []
    for lr in (0.0, 0.1):
        train(replace(trial, lr=lr), tmp_path / str(lr))
        weights = read_weights(tmp_path / str(lr))
        largest = [value for name, value in weights.items() if name.startswith("weight")]
        kernels.append(max(largest, key=np.size))
        squares = np.mean(kernels[-1] ** 2, axis=(0, 1, 2))
        np.testing.assert_allclose(squares, 1, rtol=1e-5)  # float32
    assert not np.array_equal(*kernels)


@pytest.mark.slow
def test_l2_of_norms_and_l2_that_falls_change_what_they_say(tmp_path):
    still = replace(TRIAL, epochs=1, average_from=1.0, l2=0.5)
    weights = {}
    for name, changes in {"": {}, "norms": {"norm_l2": 2.0}, "falls": {"l2_falls": True}}.items():
        train(replace(still, **changes), tmp_path / name)
        weights[name] = read_weights(tmp_path / name)
    # At the beginning of a warm-up the rate is low, and L2 that falls with it as well.
    scale = next(name for name, value in weights[""].items() if value.shape == (16,))
    assert weights["norms"][scale].mean() < weights[""][scale].mean()
    assert weights[""][scale].mean() < weights["falls"][scale].mean()


@pytest.mark.slow
def test_second_stage_learns_from_the_first_and_starts_with_it_if_asked(tmp_path):
    two = replace(TRIAL, epochs=2, average_from=1.0, first_stage="float", first_epochs=1, lr=1e-9)
    stems = {}
    for starts, teaches in ((True, False), (False, False), (False, True)):
        trial = replace(two, first_starts=starts, first_teaches=teaches, distill_weight=0.9)
        directory = tmp_path / f"{starts}{teaches}"
        train(trial, directory)
        stems[starts, teaches] = read_weights(directory)
    weights = [stems[key]["weight/0"] for key in stems]
    # The rate is next to 0, so that a network is what it started with; seeds are the same.
    np.testing.assert_allclose(weights[1], weights[2], atol=1e-6)
    assert abs(weights[0] - weights[1]).max() > 0.1
    assert "teacher/0" not in stems[False, False]
    np.testing.assert_allclose(stems[False, True]["teacher/0"], weights[0], atol=1e-6)


@pytest.mark.slow
def test_mean_teacher_holds_the_running_mean_and_changes_what_is_learned(tmp_path):
    step = replace(TRIAL, epochs=1, batch_size=60, average_from=1.0, mean_teacher=0.75)
    # The same first step at another rate, from the same weights: two points of a line.
    weights = {}
    for name, changes in {
        "still": {"lr": 0.0},
        "alone": {},
        "taught": {"distill_weight": 0.5},
    }.items():
        train(replace(step, **changes), tmp_path / name)
        weights[name] = read_weights(tmp_path / name)
    stem = "weight/0"
    start, end = weights["still"][stem], weights["alone"][stem]
    assert abs(end - start).max() > 1e-3
    # One step: three quarters of what there was, a quarter of what there is. float32
    np.testing.assert_allclose(
        weights["alone"]["mean/0"], 0.75 * start + 0.25 * end, rtol=1e-5, atol=1e-6
    )
    assert abs(weights["taught"][stem] - end).max() > 1e-6


@pytest.mark.slow
def test_first_stage_has_a_rate_of_its_own(tmp_path):
    two = replace(TRIAL, epochs=2, average_from=1.0, first_stage="float", first_epochs=1, lr=1e-9)
    kept = {"first_lr": 0.1, "first_teaches": True, "first_starts": False, "distill_weight": 0.9}
    train(replace(two, **kept), tmp_path / "own")
    train(replace(two, **{**kept, "first_lr": None}), tmp_path / "same")
    own, same = (read_weights(tmp_path / name) for name in ("own", "same"))
    # Only the teacher learned: the second stage's rate is next to 0 in both.
    np.testing.assert_allclose(own["weight/0"], same["weight/0"], atol=1e-6)
    assert abs(own["teacher/0"] - same["teacher/0"]).max() > 1e-3
