import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from bad_parts import normalised

import export
from export.keras_graph.binary_layers import get_latent_kernel, is_binary_convolution
from recu_tf import models

NETWORKS = [
    pytest.param(name, dataset, size, id=f"{name}-{dataset}")
    for dataset, networks, size in (
        ("cifar10", models.CIFAR_NETWORKS, 32),
        ("imagenet", models.IMAGENET_NETWORKS, 224),
    )
    for name in networks
]
IMAGES = 2


def build(name, dataset):
    """The network, with half the channels if it is one of 34 layers.

    It has the blocks of the one of 18 layers, and would have four times the weights to convert.
    """
    network = models.get_networks(dataset)[name]
    if "34" in name:
        stages = tuple((blocks, filters // 2) for blocks, filters in network.stages)
        return dataclasses.replace(network, stages=stages)()
    return models.build(name, dataset)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dataset", "size"), NETWORKS)
def test_network_is_binary_and_small_in_the_file(name, dataset, size):
    tf.keras.utils.set_random_seed(0)
    model = normalised(build(name, dataset))
    images = np.random.default_rng(0).normal(size=(IMAGES, size, size, 3)).astype(np.float32)
    rewritten, steps = export.rewrite(model, images)
    assert all(step.kept for step in steps)
    # The factors of their batch norms are small enough.
    assert "keep large factors out of binary convolutions" not in {step.name for step in steps}
    flatbuffer = export.convert(rewritten)
    audited = export.audit(flatbuffer, model)
    convolutions = [layer for layer in model.submodules if is_binary_convolution(layer)]
    assert audited.passed
    assert audited.binary == len(audited.expected) == len(convolutions) > 0

    bits = sum(get_latent_kernel(layer).size for layer in convolutions)
    others = model.count_params() - bits
    assert len(flatbuffer) <= 1.03 * (bits / 8 + 4 * others) + 20_000
