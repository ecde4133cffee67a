from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from experiments.speedrun.trial import FLOAT_RELU, Trial
from experiments.speedrun.trial_network import build_network, whiten_stem
from recu_tf.layers import HardTanh

PLAIN = Trial("plain")


def find_hard_tanh(network):
    return next(layer for layer in network.layers if isinstance(layer, HardTanh))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [0, 1, 1, 0, 0]),
        ({"inward": True}, [-1, 1, 1, 3, 0]),
        ({"leak": 0.25}, [-0.25, 1, 1, 0.75, 0.25]),
    ],
)
def test_clipped_values_pass_the_gradient_that_the_trial_asks_for(change, expected):
    layer = find_hard_tanh(build_network(replace(PLAIN, **change)))
    x = tf.constant([-2.0, -0.5, 0.5, 2.0, -2.0])
    upstream = tf.constant([-1.0, 1.0, 1.0, 3.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    np.testing.assert_array_equal(y, [-1, -0.5, 0.5, 1, -1])
    got = tape.gradient(y, x, upstream)
    np.testing.assert_array_equal(got, expected)


def test_network_has_the_weights_of_the_published_one():
    tf.keras.utils.set_random_seed(0)
    plain = build_network(PLAIN)
    tf.keras.utils.set_random_seed(0)
    other = build_network(replace(PLAIN, slope="box", inward=True))
    for weight, same in zip(plain.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_whitened_stem_gives_channels_of_equal_variance_and_both_signs():
    network = build_network(PLAIN)
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)
    whiten_stem(network, images)
    kernel = network.get_layer("conv1").kernel
    half = kernel.shape[-1] // 2
    np.testing.assert_array_equal(kernel[..., :half], -kernel[..., half:])
    outputs = tf.nn.conv2d(images, kernel, 1, "VALID").numpy()
    # White noise is nearly white before; the axes come from a quarter of its patches.
    np.testing.assert_allclose(outputs.std((0, 1, 2)), 1, atol=0.1)


def test_teacher_has_relus_for_hard_tanhs_and_is_otherwise_the_float_twin():
    twin, teacher = (build_network(PLAIN, precision) for precision in ("float", FLOAT_RELU))
    pairs = list(zip(twin.layers, teacher.layers, strict=True))
    assert sum(isinstance(layer, HardTanh) for layer, _ in pairs) == 19
    for layer, other in pairs:
        expected = tf.keras.layers.ReLU if isinstance(layer, HardTanh) else type(layer)
        assert type(other) is expected
