import numpy as np
import pytest
import tensorflow as tf

from experiments.speedrun.activation_gradients import SLOPES, SignWithSlope
from recu_tf.quantizers import standardized_approx_sign


def differentiate(quantize, activations):
    upstream = tf.random.stateless_normal(activations.shape, [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(activations)
        outputs = quantize(activations)
    return outputs.numpy(), tape.gradient(outputs, activations, upstream).numpy(), upstream.numpy()


@pytest.fixture
def activations():
    return tf.random.stateless_normal([3, 5, 4, 2], [0, 0], 0.2, 1.5)


def test_the_published_gradient_is_one_of_them(activations):
    found = differentiate(SignWithSlope("tent", 1.0, True), activations)
    expected = differentiate(standardized_approx_sign, activations)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-6)  # other order of sums


@pytest.mark.parametrize("slope", SLOPES)
def test_gradient_without_standardisation_is_the_slope(slope, activations):
    outputs, gradient, upstream = differentiate(SignWithSlope(slope, 0.8, False), activations)
    np.testing.assert_array_equal(outputs, np.where(activations < 0, -1, 1))
    np.testing.assert_allclose(gradient, upstream * SLOPES[slope](activations, 0.8), rtol=1e-6)


def test_standardised_gradient_goes_through_the_variance(activations):
    """Scaling an image changes no sign, so the gradient is orthogonal to it."""
    _, gradient, _ = differentiate(SignWithSlope("box", 1.5, True), activations)
    along = np.sum(gradient * activations, axis=(1, 2, 3))
    assert np.abs(along).max() < 1e-3 * np.abs(gradient).sum()
