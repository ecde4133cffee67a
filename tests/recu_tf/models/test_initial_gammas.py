import numpy as np
import pytest
import tensorflow as tf

from recu_tf import models


def get_gammas(network):
    return {w.name: w.numpy() for w in network.weights if w.name.endswith("/gamma:0")}


@pytest.mark.parametrize(
    ("name", "dataset", "precision", "others"),
    [
        ("resnet20_1w1a", "cifar10", "binary", ["bn1", "bn2"]),
        ("resnet20_1w1a", "cifar10", "float", ["bn1", "bn2"]),
        # Pools stand between convolutions and batch norms.
        ("vgg_small_1w1a", "cifar10", "binary", ["bn0"]),
        (
            "resnet18_1w1a",
            "imagenet",
            "binary",
            ["bn1", *(f"layer{stage}.0.downsample.1" for stage in (2, 3, 4)), "bn2"],
        ),
    ],
)
def test_batch_norms_behind_binary_convolutions_start_with_the_gamma(
    name, dataset, precision, others
):
    network = models.build(name, dataset, precision=precision)
    before = network.get_weights()
    published = get_gammas(network)
    models.set_initial_gammas(network, 0.25)
    gammas = get_gammas(network)
    kept = [f"{layer}/gamma:0" for layer in others]
    for weight, gamma in gammas.items():
        expected = published[weight] if weight in kept else np.full(gamma.shape, 0.25)
        np.testing.assert_array_equal(gamma, expected)
    assert set(kept) < set(gammas)
    # Nothing else is changed.
    for weight, value in zip(network.weights, before, strict=True):
        if weight.name not in gammas:
            np.testing.assert_array_equal(weight.numpy(), value)


def test_batch_norms_without_a_gamma_stay_as_they_are():
    inputs = tf.keras.Input((8, 8, 3))
    x = models.build("resnet20_1w1a", "own", num_classes=2, input_shape=(8, 8, 3))(inputs)
    outputs = tf.keras.layers.BatchNormalization(scale=False)(x)
    network = tf.keras.Model(inputs, outputs)
    models.set_initial_gammas(network, 0.5)
    inside = [gamma for name, gamma in get_gammas(network).items() if name.startswith("layer")]
    assert len(inside) == 18
    assert all((gamma == 0.5).all() for gamma in inside)
