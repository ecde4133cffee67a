import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits, tiny_resnet

from recu_tf import data, networks, pretrained
from recu_tf.models import zoo_weights
from recu_tf.quantizers import ReCU

SMALL = "zoo/QuickNetSmall"
NAME = "resnet20_1w1a"


@pytest.fixture(autouse=True)
def _no_other_place(monkeypatch, tmp_path):
    """Names are those of files and directories here first."""
    monkeypatch.chdir(tmp_path)


def test_name_with_weights_is_the_network_of_larq_zoo(small_quicknet):
    expected, path = small_quicknet
    network = networks.load(SMALL, weights=path, dataset="digits")
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(network.model(images), expected(images))
    assert (network.format, network.name, str(network.path)) == ("name", SMALL, SMALL)
    assert (network.file, network.run, network.dataset) == (None, None, "digits")
    assert network.normalization == data.DATASETS["digits"].normalization
    assert network.class_names == data.DATASETS["digits"].class_names
    with pytest.raises(ValueError, match=r"`input_shape`|`name`: zoo/XNORNet takes"):
        networks.load("zoo/XNORNet", weights=path, dataset="digits")


def test_classes_are_those_of_the_weights_not_of_the_data_set(small_quicknet):
    network = networks.load(SMALL, weights=small_quicknet[1], dataset="cifar100")
    assert network.model.output_shape == (None, 10)
    assert network.class_names is None


def test_untrained_network_of_a_name_has_recu(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    network = networks.load("resnet20_1w1a", dataset="digits", untrained=True)
    assert network.model.output_shape == (None, 10)
    assert any(
        isinstance(getattr(layer, "kernel_quantizer", None), ReCU) for layer in network.model.layers
    )
    assert networks.load("resnet20_1w1a", untrained=True).dataset == "cifar10"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (SMALL, {}, "zoo/QuickNetSmall is the name of a network without .*; its `weights` must"),
        ("resnet18_1w1a", {}, "resnet18_1w1a is the name of .*; name a trained one"),
        ("resnet20_1w1a", {}, "; its `weights` must be given: cifar10 or digits"),
        ("resnet18_1w1a", {"weights": "digits"}, "no resnet18_1w1a trained on digits comes"),
        (SMALL, {"weights": "imagenet", "dataset": "digits"}, "`dataset` must .* got digits"),
        (SMALL, {"which": "best"}, "`which` is for run directories, zoo/QuickNetSmall is a name"),
        (SMALL, {"model": "resnet20_1w1a"}, "`model` is for published checkpoints, zoo/Quick"),
    ],
)
def test_options_that_do_not_belong_to_a_name_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        networks.load(name, **options)


def test_weights_are_refused_for_what_has_its_own(tmp_path):
    tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"`weights` is for names of networks, a\.keras"):
        networks.load("a.keras", weights=zoo_weights.IMAGENET)


def test_a_directory_of_that_name_comes_first(tmp_path):
    assert networks.find_format(SMALL) == "name"
    (tmp_path / SMALL).mkdir(parents=True)
    assert networks.find_format(SMALL) is None
    with pytest.raises(ValueError, match=r"zoo/QuickNetSmall must be a run directory, .* is none"):
        networks.load(SMALL)


def test_network_that_comes_along_is_known_by_its_name_and_by_its_weights(tmp_path):
    name = "pretrained/digits-resnet20"
    # Not even a directory takes the place of it.
    (tmp_path / name).mkdir(parents=True)
    network = networks.load(name)
    assert (network.format, network.name, str(network.path)) == ("pretrained", NAME, name)
    assert (network.run, network.dataset) == (None, "digits")
    assert network.file == pretrained.find(name).path
    known = data.DATASETS["digits"]
    assert (network.normalization, network.class_names) == (known.normalization, known.class_names)
    same = networks.load(NAME, weights="digits")
    assert (same.format, same.dataset, same.file) == ("name", "digits", None)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(same.model(images), network.model(images))
    for options, message in (
        ({"which": "best"}, "`which` is for run directories, pretrained/digits-.* is a name"),
        ({"model": NAME}, "`model` is for published checkpoints, pretrained/digits-.* is a name"),
        ({"weights": "digits"}, "`weights` is for names of networks, pretrained/digits-"),
    ):
        with pytest.raises(ValueError, match=message):
            networks.load(name, **options)
