import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from recu_tf.models import select_recu_kernels
from recu_tf.optimizers import Muon
from recu_tf.optimizers.muon import orthogonalize, rescale_filters


def make_kernel(*shape):
    return tf.random.stateless_normal(shape, [0, 0], 0.2, 1.5)


def test_rescaled_filters_have_their_direction_and_a_mean_square_of_one():
    kernel = make_kernel(3, 3, 8, 16)
    rescaled = rescale_filters(kernel).numpy()
    # Not quite 1 because of the epsilon, and float32.
    np.testing.assert_allclose(np.mean(rescaled**2, axis=(0, 1, 2)), 1, rtol=1e-5)
    ratios = rescaled / kernel.numpy()
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:1, :1, :1], ratios.shape), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (8, 16), (1, 1, 16, 8)])
def test_orthogonalized_kernel_keeps_its_singular_vectors_alone(shape):
    kernel = make_kernel(*shape)
    matrix = kernel.numpy().reshape(-1, shape[-1])
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found = orthogonalize(kernel).numpy().reshape(matrix.shape)
    # Between the singular vectors of the kernel, the result is diagonal: float32 leaves 1e-6.
    diagonal = left.T @ found @ right.T
    np.testing.assert_allclose(diagonal - np.diag(np.diag(diagonal)), 0, atol=1e-4)
    assert values.max() / values.min() > 1.5
    # The polynomial was made for speed: it ends between 0.68 and 1.21.
    assert 0.65 < np.diag(diagonal).min() < np.diag(diagonal).max() < 1.25


def test_orthogonalized_kernel_is_near_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    muon = pytest.importorskip("torch.optim._muon", reason="this torch has no Muon")
    kernel = make_kernel(3, 3, 8, 16).numpy()
    matrix = torch.from_numpy(kernel.reshape(-1, 16))
    expected = muon._zeropower_via_newtonschulz(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7)
    # It computes in bfloat16, of 8 bits.
    np.testing.assert_allclose(
        orthogonalize(kernel).numpy().reshape(-1, 16), expected.float().numpy(), atol=0.02
    )


@pytest.mark.parametrize("nesterov", [False, True])
def test_step_changes_each_filter_by_its_share_in_the_orthogonal_direction(nesterov):
    kernel = tf.Variable(make_kernel(3, 3, 4, 8))
    optimizer = Muon(0.1, l2=0.5, nesterov=nesterov, kernel_lr_factor=0.4)
    optimizer.set_kernels([kernel])
    rng = np.random.default_rng(0)
    weights = kernel.numpy()
    buffer = 0
    for _ in range(3):
        gradient = rng.normal(size=kernel.shape).astype(np.float32)
        optimizer.apply_gradients([(tf.constant(gradient), kernel)])
        buffer = 0.9 * buffer + gradient
        direction = gradient + 0.9 * buffer if nesterov else buffer
        weights = weights - 0.1 * 0.4 * rescale_filters(orthogonalize(tf.constant(direction)))
        weights = rescale_filters(weights).numpy()
        # Float32; the order of the additions differs.
        np.testing.assert_allclose(kernel.numpy(), weights, atol=1e-4)


def test_all_other_variables_are_those_of_sgd():
    kernel, scale = tf.Variable(make_kernel(3, 3, 4, 8)), tf.Variable([2.0])
    optimizer = Muon(0.1, momentum=0.0, l2=0.5)
    optimizer.set_kernels([kernel])
    optimizer.build([kernel, scale])
    optimizer.apply_gradients([(tf.zeros_like(kernel), kernel), (tf.constant([1.0]), scale)])
    assert scale.numpy() == pytest.approx([2 - 0.1 * (1 + 0.5 * 2)])


def test_kernel_without_a_gradient_keeps_its_direction_and_has_no_l2():
    kernel = tf.Variable(make_kernel(3, 3, 4, 8))
    expected = rescale_filters(kernel).numpy()
    optimizer = Muon(0.1, l2=0.5)
    optimizer.set_kernels([kernel])
    optimizer.apply_gradients([(tf.zeros_like(kernel), kernel)])
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=1e-5)  # float32


def test_replicas_take_one_step_with_the_sum_of_their_gradients():
    devices = tf.config.list_logical_devices("CPU")
    assert len(devices) == 2
    strategy = tf.distribute.MirroredStrategy(
        [device.name for device in devices], tf.distribute.ReductionToOneDevice()
    )
    gradient, start = make_kernel(3, 3, 4, 8), rescale_filters(make_kernel(3, 3, 4, 8))[..., ::-1]
    with strategy.scope():
        kernel = tf.Variable(start)
        optimizer = Muon(0.1)
        optimizer.set_kernels([kernel])
        optimizer.build([kernel])

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply_gradients([(gradient, kernel)]))

    step()
    expected = rescale_filters(start - 0.03 * rescale_filters(orthogonalize(2 * gradient)))
    np.testing.assert_allclose(kernel.numpy(), expected.numpy(), atol=1e-5)  # float32


def test_configuration_survives_saving(tmp_path):
    model = tf.keras.Sequential(
        [tf.keras.Input((8,)), lq.layers.QuantDense(4, kernel_quantizer="recu")]
    )
    optimizer = Muon(0.05, l2=1e-3, kernel_lr_factor=0.7)
    optimizer.set_kernels(select_recu_kernels(model))
    model.compile(optimizer, "mse")
    model.fit(np.ones((4, 8)), np.ones((4, 4)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == optimizer.get_config()


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_factor_is_refused(bad):
    with pytest.raises(ValueError, match="`kernel_lr_factor` must be a finite number above 0, got"):
        Muon(kernel_lr_factor=bad)
