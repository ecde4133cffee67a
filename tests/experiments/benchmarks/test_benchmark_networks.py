import pytest

from experiments.benchmarks.benchmark_networks import (
    CIFAR,
    IMAGENET,
    ZOO,
    build_network,
    list_networks,
    name_network,
)
from recu_tf import models


def test_the_ten_published_networks_and_three_of_larq_zoo_can_be_measured():
    assert {*CIFAR} == {*models.CIFAR_NETWORKS}
    assert {name.removeprefix("imagenet/") for name in IMAGENET} == {*models.IMAGENET_NETWORKS}
    assert len(ZOO) == 3
    assert {*CIFAR, *IMAGENET, *ZOO} <= {*list_networks()}


def test_names_are_those_of_the_page():
    assert name_network("vgg_small_1w1a") == "VGG-small"
    assert name_network("imagenet/resnet18_1w1a") == "ResNet-18, ImageNet"
    assert name_network("zoo/QuickNet") == "QuickNet"


@pytest.mark.parametrize(
    ("network", "name", "dataset"),
    [
        ("resnet18_1w1a", "resnet18_1w1a", "cifar10"),
        ("imagenet/resnet18_1w1a", "resnet18_1w1a", "imagenet"),
        ("zoo/QuickNet", "zoo/QuickNet", "imagenet"),
    ],
)
def test_network_has_the_images_of_its_data_set(network, name, dataset, monkeypatch):
    monkeypatch.setattr(models, "build", lambda *given, **options: (given, options))
    given = ((name,), {"dataset": dataset, "precision": "float"})
    assert build_network(network, "float") == given
