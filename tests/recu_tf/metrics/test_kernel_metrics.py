import numpy as np
import pytest
import tensorflow as tf
from oracles import standardize

from recu_tf import metrics

AXES = [-1, -2, (-2, -1)]


def normal(*shape):
    return np.random.default_rng(0).normal(0.3, 2.0, shape)


@pytest.mark.parametrize("axis", AXES)
def test_metrics_of_a_kernel_are_those_of_numpy(axis):
    kernel = normal(3, 3, 6, 5)
    rows = standardize(kernel, axis)
    limit = -np.abs(rows).mean() * np.log(2 - 2 * 0.9)
    scale = np.abs(rows).mean(axis=1, keepdims=True)
    lost = np.square(rows - scale * np.sign(rows)).sum() / np.square(rows).sum()
    p = (rows > 0).mean()
    entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    got = [
        metrics.dead_weights(kernel, 0.9, axis),
        metrics.quantization_error(kernel, axis),
        metrics.sign_entropy(kernel, axis),
    ]
    assert all(value.dtype == tf.float64 for value in got)
    np.testing.assert_allclose(got, [(np.abs(rows) > limit).mean(), lost, entropy], rtol=1e-12)


def test_known_distributions_have_the_values_of_the_docstrings():
    laplace = np.random.default_rng(1).laplace(size=(20_000, 4)).astype(np.float32)
    # 80 000 draws: the deviation of a share is below 0.002, and that of the others alike.
    assert metrics.dead_weights(laplace, 0.85).numpy() == pytest.approx(0.3, abs=0.01)
    assert metrics.quantization_error(laplace).numpy() == pytest.approx(0.5, abs=0.01)
    assert metrics.quantization_error(normal(20_000, 4)).numpy() == pytest.approx(
        1 - 2 / np.pi, abs=0.01
    )
    two_values = np.tile([[-0.7], [0.7]], [8, 3])
    assert metrics.quantization_error(two_values).numpy() == pytest.approx(0, abs=1e-12)
    assert metrics.sign_entropy(two_values) == 1


def test_quantization_error_does_not_depend_on_the_size_of_the_weights():
    kernel = normal(3, 3, 4, 8)
    error = metrics.quantization_error(kernel)
    # Not exactly: epsilon is added to every variance.
    assert metrics.quantization_error(100 * kernel).numpy() == pytest.approx(float(error), rel=1e-5)


def test_equal_weights_have_no_entropy_no_error_and_none_dead():
    kernel = np.ones((4, 3), np.float32)
    assert metrics.sign_entropy(kernel) == 0
    assert metrics.quantization_error(kernel) == 0
    assert metrics.dead_weights(kernel, 0.85) == 0


def test_nothing_is_dead_at_the_temperature_one():
    assert metrics.dead_weights(normal(3, 3, 2, 4), 1.0) == 0


def test_flipped_signs_are_counted():
    before = tf.constant([[1.0, -1.0], [1.0, 1.0]])
    assert metrics.flipped_signs(before, before) == 0
    assert metrics.flipped_signs(before, -before) == 1
    assert metrics.flipped_signs(before > 0, [[True, True], [True, True]]) == 0.25


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0.5, 1\], got 0.4"):
        metrics.dead_weights(normal(4, 3), 0.4)
    with pytest.raises(ValueError, match="`kernel` must have a floating dtype, got int64"):
        metrics.sign_entropy(np.ones((4, 3), np.int64))
    with pytest.raises(ValueError, match="`kernel` must have at least 2 weights per output filter"):
        metrics.quantization_error(normal(1, 3))
    with pytest.raises(ValueError, match=r"`after` must have the shape .* \(2, 3\) .* got \(3,\)"):
        metrics.flipped_signs(np.ones((2, 3)), np.ones(3))
