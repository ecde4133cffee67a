import numpy as np
import pytest

from experiments.docs.laplace_error import compute_laplace_error, sample_laplace_error


@pytest.mark.parametrize("tau", [0.55, 0.7, 0.85, 0.95, 0.99])
def test_closed_form_is_the_error_of_random_weights(tau):
    measured = sample_laplace_error(tau, 0.3)
    # A million weights: their error varies by less than a 200th of it.
    assert compute_laplace_error(tau, 0.3) == pytest.approx(measured, rel=0.01)


def test_without_a_clamp_the_error_is_the_variance_of_the_magnitudes():
    assert compute_laplace_error(1.0, 2.0) == 4


def test_error_grows_with_tau():
    assert np.all(np.diff(compute_laplace_error(np.linspace(0.51, 1, 50))) > 0)


@pytest.mark.parametrize("tau", [0.5, 1.1, np.nan])
def test_other_temperatures_are_refused(tau):
    with pytest.raises(ValueError, match=r"`tau` must lie in \(0\.5, 1\], got"):
        compute_laplace_error(tau)
