"""The published networks with random weights: the delegate, the engine and Keras."""

import numpy as np
import pytest
from conftest import small_resnet
from delegates import need_delegate, run_delegate, run_engine
from networks import with_random_statistics

import export
from recu_tf import models

need_delegate()


def check_network(flatbuffer, shape, num_threads=1):
    images = np.random.normal(size=shape).astype(np.float32)
    ours = run_delegate(flatbuffer, images, num_threads=num_threads)
    theirs = run_engine(flatbuffer, images, backend="indirect bgemm")
    for got, wanted in zip(ours, theirs, strict=True):
        # The float layers around the binary ones are XNNPACK's, which sums in another order.
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("pad_values", [0, 1])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_network_computes_what_the_engine_computes(pad_values, num_threads):
    model = with_random_statistics(small_resnet((12, 12, 3), 5, pad_values))
    check_network(export.convert(model), (1, 12, 12, 3), num_threads)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        *((name, "cifar10") for name in models.CIFAR_NETWORKS),
        *((name, "imagenet") for name in models.IMAGENET_NETWORKS),
    ],
)
def test_published_networks_compute_what_the_engine_computes(name, dataset):
    size = 32 if dataset == "cifar10" else 64
    model = with_random_statistics(
        models.build(name, dataset, num_classes=10, input_shape=(size, size, 3))
    )
    rewritten, _ = export.rewrite(
        export.float32_model(model), np.random.normal(size=(4, size, size, 3)).astype(np.float32)
    )
    check_network(export.convert(rewritten), (1, size, size, 3))
