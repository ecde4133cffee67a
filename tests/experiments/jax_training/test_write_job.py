"""Tests of trainings as jobs."""

import numpy as np
import pytest

from experiments.jax_training.write_job import make_recipe_job, make_trial_job
from experiments.speedrun.trial_list import TRIALS
from recu_tf import schedules
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
