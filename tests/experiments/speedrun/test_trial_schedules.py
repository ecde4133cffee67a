import pytest

from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_schedules import learning_rate, temperature
from recu_tf import schedules


def test_published_rate_and_temperature_are_those_of_the_library():
    trial = Trial("published", epochs=20)
    for epoch in range(20):
        expected = schedules.learning_rate(epoch, 20, lr=0.1, warm_up=True)
        # The whole epoch has the rate of its beginning.
        assert learning_rate(trial, epoch + 0.9, 20) == pytest.approx(expected, rel=1e-12)
        assert temperature(trial, epoch, 20) == schedules.exponential_tau(epoch, 20)


@pytest.mark.parametrize("shape", ["cos_step", "linear", "quadratic"])
def test_rate_rises_over_the_warm_up_and_falls_to_0_in_every_step(shape):
    trial = Trial("shape", lr=0.4, lr_shape=shape, warm_up=2.0)
    rates = [learning_rate(trial, step / 10, 5) for step in range(51)]
    assert rates[20] == max(rates) == 0.4
    assert rates[50] == pytest.approx(0, abs=1e-9)
    assert rates[:21] == sorted(set(rates[:21]))
    assert rates[20:] == sorted(set(rates[20:]), reverse=True)


def test_temperature_is_constant_or_linear_where_asked():
    assert temperature(Trial("constant", tau_shape="constant", tau_min=0.9), 3, 5) == 0.9
    linear = Trial("linear", tau_shape="linear", tau_min=0.8, tau_max=0.9)
    assert temperature(linear, 1, 4) == pytest.approx(0.825, rel=1e-12)


def test_quadratic_rate_is_low_for_longest():
    trial = Trial("quadratic", lr=0.4, lr_shape="quadratic", warm_up=1.0)
    assert learning_rate(trial, 3, 5) == pytest.approx(0.1, rel=1e-12)
