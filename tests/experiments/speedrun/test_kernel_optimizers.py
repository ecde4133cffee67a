import numpy as np
import pytest
import tensorflow as tf

from experiments.speedrun.kernel_optimizers import orthogonalize, rescale_filters


@pytest.fixture
def kernel():
    return tf.random.stateless_normal([3, 3, 8, 16], [0, 0], 0.2, 1.5)


def test_rescaled_filters_have_their_direction_and_a_mean_square_of_one(kernel):
    rescaled = rescale_filters(kernel).numpy()
    # Not quite 1 because of the epsilon, and float32.
    np.testing.assert_allclose(np.mean(rescaled**2, axis=(0, 1, 2)), 1, rtol=1e-5)
    ratios = rescaled / kernel.numpy()
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:1, :1, :1], ratios.shape), rtol=1e-5)


def test_orthogonalized_kernel_keeps_its_singular_vectors_alone(kernel):
    left, values, right = np.linalg.svd(kernel.numpy().reshape(-1, 16), full_matrices=False)
    found = orthogonalize(kernel).numpy().reshape(-1, 16)
    # In the singular vectors of the kernel, its result is diagonal: float32 leaves 1e-6.
    diagonal = left.T @ found @ right.T
    np.testing.assert_allclose(diagonal - np.diag(np.diag(diagonal)), 0, atol=1e-4)
    assert values.max() / values.min() > 1.5
    # The polynomial was made for speed: it brings values to between 0.7 and 1.2 (Jordan et al.).
    assert 0.65 < np.diag(diagonal).min() < np.diag(diagonal).max() < 1.25
