import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, tiny_resnet
from networks import with_random_statistics

from recu_tf import larq_warnings
from recu_tf.models import sign_and_scale
from recu_tf.quantizers import recu

L = lq.layers
SHAPE = (8, 8, 3)


def images(shape=SHAPE):
    return np.random.default_rng(0).normal(size=(4, *shape)).astype("float32")


def copy_through_file(network, build):
    """A network of the same layers with other weights, and then those of the first."""
    tf.keras.utils.set_random_seed(1)
    copy = build()
    assert not np.array_equal(copy(images(copy.input_shape[1:])), 0)
    sign_and_scale.unpack(sign_and_scale.pack(network), copy)
    return copy


def build_resnet():
    return with_random_statistics(tiny_resnet((32, 32, 3), 10))


def build_other_kernels():
    """Kernels whose filters do not lie on the last axis, and real ones."""
    with larq_warnings.silence_advice():
        return tf.keras.Sequential(
            [
                tf.keras.Input(SHAPE),
                tf.keras.layers.Conv2D(4, 3),
                L.QuantDepthwiseConv2D(3, depthwise_quantizer="recu"),
                L.QuantConv2DTranspose(6, 3, kernel_quantizer="recu"),
                L.QuantSeparableConv2D(
                    5, 2, depthwise_quantizer="recu", pointwise_quantizer="recu"
                ),
                tf.keras.layers.Flatten(),
                L.QuantDense(7, kernel_quantizer="recu"),
                L.QuantDense(3, kernel_quantizer="ste_sign"),
            ]
        )


@pytest.mark.parametrize("build", [build_resnet, build_other_kernels])
def test_outputs_are_bit_for_bit_those_of_the_packed_network(build):
    network = build()
    copy = copy_through_file(network, build)
    inputs = images(network.input_shape[1:])
    np.testing.assert_array_equal(copy(inputs), network(inputs))


def test_all_but_the_latent_weights_of_binary_kernels_is_unchanged():
    network = build_resnet()
    copy = copy_through_file(network, build_resnet)
    binary = 0
    for weight, array, other in zip(
        network.weights, network.get_weights(), copy.get_weights(), strict=True
    ):
        if np.array_equal(array, other):
            continue
        binary += 1
        assert weight.name.endswith("kernel:0")
        # The mean magnitude of each filter around its mean, and a mean of 0.
        axes = (0, 1, 2)
        deviation = np.abs(array - array.mean(axes)).mean(axes)
        np.testing.assert_allclose(np.abs(other).mean(axes), deviation, rtol=1e-6)
        # Sums of 72 float32 numbers.
        np.testing.assert_allclose(other.mean(axes), 0, atol=1e-6 * deviation.max())
        # Some are near to 0 and can change their signs soon.
        assert (np.abs(other) < 0.1 * deviation).any()
        # The mean of the positive ones and that of the negative ones are unchanged.
        centred = array - array.mean(axes)
        for number in range(array.shape[-1]):
            is_positive = centred[..., number] > 0
            for chosen in (is_positive, ~is_positive):
                mean = centred[..., number][chosen].mean()
                np.testing.assert_allclose(other[..., number][chosen].mean(), mean, rtol=1e-5)
    assert binary == 2


def test_a_file_is_as_small_as_its_signs():
    """A bit for each binary weight, and a float32 number for each of the others."""
    network = tf.keras.Sequential(
        [tf.keras.Input((1000,)), L.QuantDense(80, kernel_quantizer="recu")]
    )
    assert len(sign_and_scale.pack(network)) < 10_000 + 4 * (80 + 80 + 1) + 1500


@pytest.mark.parametrize(
    "column",
    [
        [0.5, 0.5, 0.5, 0.5],  # a constant, of which ReCU makes +1
        [-0.1, -0.1, -0.1, -0.1],  # also where it is negative
        [0.0, 0.0, 0.0, 0.0],
        [1e-30, -1e-30, 1e-30, 1e-30],
        [3.0, -1.0, -1.0, -1.0],  # the mean lies between
        [5.0, 5.0, 5.0, 4.9],  # one sign before centring
        [-2.0, -2.0, -2.0, -7.0],
        [1.0, 2.0, 3.0, 2.0],  # a weight of exactly the mean counts as positive
    ],
)
def test_signs_of_unusual_filters_come_back(column):
    def build():
        return tf.keras.Sequential([tf.keras.Input((4,)), L.QuantDense(2, kernel_quantizer="recu")])

    network = build()
    kernel = np.stack([column, [0.3, -0.2, 0.1, -0.4]], axis=1).astype("float32")
    network.layers[-1].kernel.assign(kernel)
    copy = copy_through_file(network, build)
    (restored, *_) = copy.get_weights()
    np.testing.assert_array_equal(recu(restored, 0.9), recu(kernel, 0.9))
    assert np.isfinite(restored).all()


def test_kernel_with_a_filter_that_is_negative_by_rounding_stays_as_it_is():
    kernel = np.full((3, 2), 0.1, np.float32)
    candidates = np.random.default_rng(0).uniform(-1, 1, (2000, 3, 1)).astype("float32")
    constants = np.repeat(candidates[:, :1], 3, axis=1)
    negative = [c for c in constants if (recu(c, 0.9).numpy() < 0).all()]
    if not negative:
        pytest.skip("the means of constants are never rounded up here")
    kernel[:, :1], kernel[:, 1] = negative[0], [0.2, -0.3, 0.4]

    def build():
        return tf.keras.Sequential([tf.keras.Input((3,)), L.QuantDense(2, kernel_quantizer="recu")])

    network = build()
    network.layers[-1].kernel.assign(kernel)
    copy = copy_through_file(network, build)
    np.testing.assert_array_equal(copy.get_weights()[0], kernel)


def test_latent_weights_are_packed_within_a_quantized_scope_too():
    network = build_resnet()
    expected = sign_and_scale.pack(network)
    with lq.context.quantized_scope(True):
        assert sign_and_scale.pack(network) == expected


def test_file_of_another_network_is_refused_and_nothing_is_changed():
    content = sign_and_scale.pack(build_resnet())
    other = build_other_kernels()
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"do not fit sequential.*, they are of another network"):
        sign_and_scale.unpack(content, other)
    assert_same_arrays(before, other.get_weights())


def test_weights_that_float32_cannot_hold_are_refused():
    network = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2, dtype="float64")])
    network.layers[-1].bias.assign([0.1, 0.2])
    with pytest.raises(ValueError, match=r"must have weights in float32, .* is of float64"):
        sign_and_scale.pack(network)
