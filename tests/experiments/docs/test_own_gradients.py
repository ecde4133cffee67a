import numpy as np
import pytest

from experiments.docs.own_gradients import find_own_gradient
from recu_tf import quantizers

VALUES = np.random.default_rng(0).normal(0, 1, 50)


def test_gradient_of_activations_ends_at_the_clip_value():
    own = find_own_gradient(quantizers.standardized_ste_sign, VALUES, axis=1)
    scaled = VALUES / VALUES.std(ddof=1)
    assert np.array_equal(own != 0, np.abs(scaled) <= 1.5)


def test_gradient_of_a_kernel_is_the_closed_form():
    own = find_own_gradient(lambda kernel: quantizers.recu(kernel, 0.85), VALUES, axis=0)
    count, variance = len(VALUES), VALUES.var(ddof=1) + 1e-5
    centred = VALUES - VALUES.mean()
    standardized = 2 * np.sqrt(2) * centred / np.sqrt(variance)
    limit = -np.abs(standardized).mean() * np.log(0.3)
    part = 1 - 1 / count - centred**2 / ((count - 1) * variance)
    expected = np.where(np.abs(standardized) <= limit, 2 * np.sqrt(2 / variance) * part, 0)
    # Both in float64.
    assert own == pytest.approx(expected, rel=1e-10)
