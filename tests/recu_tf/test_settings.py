import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from recu_tf import runs
from recu_tf.data.memory import batches
from recu_tf.settings import Settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "resnet"}, "`model` must be one of resnet20_1w1a, .* got 'resnet'"),
        ({"dataset": "mnist"}, r"`dataset` must be one of digits, .* got 'mnist'"),
        ({"optimizer": "lion"}, "`optimizer` must be one of sgd, adam, muon, got 'lion'"),
        (
            {"kernel_lr_factor": 0.1},
            "`kernel_lr_factor` needs the `optimizer` muon, got 0.1 for sgd",
        ),
        (
            {"optimizer": "muon", "kernel_lr_factor": 0.0},
            "`kernel_lr_factor` must be a finite number above 0, got 0.0",
        ),
        (
            {"optimizer": "muon", "network_precision": "float"},
            "`optimizer` muon is for binary kernels, got `network_precision` 'float'",
        ),
        ({"precision": "float16"}, "`precision` must be one of float32, .* got 'float16'"),
        ({"strategy": "tpu"}, "`strategy` must be one of auto, .* got 'tpu'"),
        ({"epochs": 0}, "`epochs` must be at least 1, got 0"),
        ({"batch_size": -1}, "`batch_size` must be at least 1, got -1"),
        ({"batch_size_test": 0}, "`batch_size_test` must be at least 1, got 0"),
        ({"steps_per_execution": 0}, "`steps_per_execution` must be at least 1, got 0"),
        ({"workers": -1}, "`workers` must be at least 1, got -1"),
        ({"epochs": 2.5}, "`epochs` must be an integer, got 2.5"),
        ({"teacher": "x", "distill_features": "conv1"}, "`distill_features` must be a list, got"),
        ({"start_epoch": 600}, "`start_epoch` must lie in 0 ... epochs - 1 = 599, got 600"),
        ({"lr": 0.0}, "`lr` must be a finite number above 0, got 0.0"),
        ({"lr": float("inf")}, "`lr` must be a finite number above 0, got inf"),
        ({"momentum": 1.0}, r"`momentum` must be a number in \[0, 1\), got 1.0"),
        (
            {"batch_norm_gamma": 0.0},
            "`batch_norm_gamma` must be a finite number above 0, got 0.0",
        ),
        (
            {"batch_norm_momentum": 1.0},
            r"`batch_norm_momentum` must be a number in \[0, 1\), got 1.0",
        ),
        ({"crop_padding": -1}, "`crop_padding` must be at least 0, got -1"),
        (
            {"dataset": "imagenet", "crop_padding": 2},
            "`crop_padding` is for digits, cifar10, cifar100, got 2 for the data set imagenet",
        ),
        ({"nesterov": True, "momentum": 0.0}, "`nesterov` needs .* above 0, got sgd and 0.0"),
        (
            {"nesterov": True, "optimizer": "adam"},
            "`nesterov` needs .* sgd or muon .*, got adam and 0.9",
        ),
        ({"weight_decay": -1e-4}, "`weight_decay` must be a finite number from 0, got -0.0001"),
        (
            {"lr_type": "poly"},
            "`lr_type` must be one of cos, step, linear, one_cycle, one_cycle_quadratic, "
            "got 'poly'",
        ),
        ({"lr_type": "step"}, "`lr_decay_step` must name at least one epoch"),
        ({"lr_type": "step", "lr_decay_step": (0,)}, "`lr_decay_step` must be epochs from 1"),
        ({"lr_decay_step": (5,)}, "`lr_decay_step` must be empty unless `lr_type` is step"),
        ({"tau_min": 0.4}, r"`tau_min` must lie in \(0.5, 1\], got 0.4"),
        ({"tau_max": 0.8}, "`tau_min` must not exceed `tau_max`"),
        ({"seed": -1}, r"`seed` must lie in 0 ... 2\^31 - 1, got -1"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)


@pytest.mark.parametrize("kept", [None, [], {"dataset": "digits"}])
def test_incomplete_settings_of_a_run_are_refused(kept, tmp_path):
    run = runs.Run(tmp_path, {"settings": kept})
    with pytest.raises(ValueError, match=r"`settings` in .*config\.json: "):
        Settings.of_run(run)


@pytest.mark.parametrize(
    "change", [{"dataset": [1]}, {"batch_size_test": "x"}, {"batch_size_test": 0}, {"new": 1}]
)
def test_damaged_settings_of_a_run_are_refused(change, tmp_path):
    kept = {**vars(Settings()), **change}
    with pytest.raises(ValueError, match=r"`settings` in .*config\.json: "):
        Settings.of_run(runs.Run(tmp_path, {"settings": kept}))


def test_settings_of_older_runs_have_the_defaults_of_what_they_lack():
    kept = asdict(Settings(model="vgg_small_1w1a", lr_type="step", lr_decay_step=(3, 5)))
    del kept["precision"], kept["teacher"]
    kept["lr_decay_step"] = [3, 5]  # as JSON keeps it
    assert Settings.of_config(kept) == Settings(**{**kept, "lr_decay_step": (3, 5)})


def test_settings_stay_the_same_when_a_file_keeps_them():
    settings = Settings(
        epochs=np.int64(90),
        data_path=Path("images"),
        teacher=Path("teacher.keras"),
        lr_type="step",
        lr_decay_step=[30, 60],
        distill_features=["conv1"],
    )
    kept = json.loads(json.dumps(asdict(settings)))
    assert (kept["data_path"], kept["teacher"]) == ("images", "teacher.keras")
    assert Settings.of_config(kept) == settings


def test_values_that_mean_the_same_are_the_same_settings():
    assert Settings(start_epoch=-1, workers=0) == Settings()


def test_differences_are_named():
    assert Settings().differences(Settings(lr=0.2, seed=1)) == ["lr", "seed"]


def test_images_are_shifted_as_far_as_by_default_in_batches():
    # Settings import nothing but the standard library, so that the number stands twice.
    assert Settings("resnet20_1w1a", "digits").crop_padding == batches.PADDING
