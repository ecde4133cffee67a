import numpy as np
import pytest
import tensorflow as tf
from rewritten import binary, head, operators, rewritten, right

from export.conversion.rewriting.freeze import freeze_kernels
from export.conversion.rewriting.large_factors import keep_factors_apart
from export.keras_graph.graph import read_graph
from recu_tf import models
from recu_tf.layers import ChannelScale, LearnableBias

L = tf.keras.layers
APART = "keep large factors out of binary convolutions"
DEAD = np.arange(32) < 8


def with_dead_channels(*between, variance=1e-5, channels=256, also_read=False, **options):
    """A batch norm of which some channels hardly vary behind a binary convolution, and its signs.

    In these channels the ReLU gives 0, and the batch norm at most 0.001.
    """
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((4, 4, channels))
    convolution = binary(pad_values=1, **{"activation": "relu", **options})
    norm = L.BatchNormalization(epsilon=1e-5, name="norm")
    x = read = convolution(L.Rescaling(1.0, 3.0)(image))  # nearly all signs are 1
    for layer in between:
        x = layer(x)
    x = norm(x)
    outputs = [x, head(binary()(x))]
    model = tf.keras.Model(image, [*outputs, head(read)] if also_read else outputs)
    kernel = np.random.default_rng(0).choice([-1.0, 1.0], size=convolution.kernel.shape)
    convolution.set_weights([np.where(DEAD, -1.0, kernel)])
    norm.moving_variance.assign(np.where(DEAD, variance, 9.0 * channels))
    norm.beta.assign(np.where(DEAD, np.linspace(-1e-3, 1e-3, 32), 0.1))
    return model


def found_in(model):
    graph = read_graph(model)
    freeze_kernels(graph)
    return keep_factors_apart(graph)


@pytest.mark.parametrize(
    ("between", "options"),
    [
        ([], {}),
        ([L.ReLU(), ChannelScale("ones"), LearnableBias()], {"activation": None}),
    ],
)
def test_dead_channels_are_right_in_the_file_and_the_layer_stays_binary(between, options):
    model = with_dead_channels(*between, **options)
    assert not right(model)
    new, steps = rewritten(model)
    assert steps[APART].layers == ("norm",)
    assert right(new, model)
    before, after = operators(model), operators(new)
    assert before["LceBconv2d"] == after["LceBconv2d"] == 2
    assert "MAX_POOL_2D" not in before
    assert after["MAX_POOL_2D"] == 1
    assert "RELU" not in after  # it is still fused into the convolution


@pytest.mark.parametrize(
    ("between", "options", "found"),
    [
        ([], {"variance": 1e-2}, True),
        ([], {"variance": 1.0}, False),
        ([], {"channels": 32, "variance": 1e-2}, False),  # fewer bits, smaller sums
        ([L.ReLU(6.0)], {"activation": None}, True),
        # The factors of both layers count.
        ([ChannelScale("ones")], {"variance": 1.0}, False),
        ([ChannelScale(tf.keras.initializers.Constant(100.0))], {"variance": 1.0}, True),
        # The converter fuses no batch norm into these.
        ([L.MaxPooling2D(2)], {}, False),
        ([L.PReLU(shared_axes=[1, 2])], {"activation": None}, False),
        ([], {"also_read": True}, False),
        ([], {"kernel_quantizer": None}, False),
        ([], {"input_quantizer": None}, False),
    ],
)
def test_only_large_factors_that_would_be_fused_are_kept_out(between, options, found):
    assert found_in(with_dead_channels(*between, **options)) == (["norm"] if found else [])


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("resnet20_1w1a", "cifar10"),
        *(
            pytest.param(name, dataset, marks=pytest.mark.slow)
            for dataset, networks in (
                ("cifar10", models.CIFAR_NETWORKS),
                ("imagenet", models.IMAGENET_NETWORKS),
            )
            for name in networks
            if name != "resnet20_1w1a"
        ),
    ],
)
def test_published_networks_are_left_alone(name, dataset):
    assert found_in(models.build(name, dataset)) == []
