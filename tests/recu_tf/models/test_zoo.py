import logging
import sys
import warnings

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import need

from recu_tf.models import with_recu, zoo
from recu_tf.networks.model_files import load_keras_file
from recu_tf.quantizers import ReCU, StandardizedApproxSign

# Binary layers: all Larq layers of the published networks that have a kernel quantizer.
BINARY_LAYERS = {
    "BiRealNet": 16,
    "BinaryAlexNet": 8,
    "BinaryDenseNet28": 23,
    "BinaryDenseNet37": 32,
    "BinaryDenseNet37Dilated": 32,
    "BinaryDenseNet45": 40,
    "BinaryResNetE18": 16,
    "DoReFaNet": 6,
    "MeliusNet22": 34,
    "QuickNet": 16,
    "QuickNetLarge": 32,
    "QuickNetSmall": 16,
    "RealToBinaryNet": 16,
    "XNORNet": 6,
}
# The others take longer.
EVERYDAY = ("BinaryAlexNet", "QuickNetSmall")


def larq_zoo():
    return need("larq_zoo")


def test_all_networks_of_larq_zoo_with_binary_kernels_are_named():
    package = larq_zoo()
    names = {*package.literature.__all__, *package.sota.__all__}
    assert names == {*zoo.ZOO_NETWORKS} == {*BINARY_LAYERS}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow)
        for name in BINARY_LAYERS
    ],
)
def test_networks_have_recu_in_each_binary_layer(name, caplog):
    larq_zoo()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        # Not those of deprecation, which importing tensorflow-datasets gives.
        warnings.simplefilter("error", UserWarning)
        size = zoo.SMALLEST_SIZES.get(name, 32)
        network = zoo.build(name, num_classes=5, input_shape=(size, size, 3))
    assert not caplog.records
    layers = [layer for layer in network.layers if getattr(layer, "kernel_quantizer", None)]
    assert len(layers) == BINARY_LAYERS[name]
    assert all(isinstance(layer.kernel_quantizer, ReCU) for layer in layers)
    assert all(layer.kernel_constraint is None for layer in layers)
    inputs = [layer.input_quantizer for layer in layers]
    binary = inputs[1:] if name == "BinaryAlexNet" else inputs
    assert all(isinstance(part, StandardizedApproxSign) for part in binary)
    assert len({*map(id, inputs)}) == len(inputs)
    assert not any(isinstance(layer, tf.keras.layers.Lambda) for layer in network.layers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MeliusNet22", "RealToBinaryNet"])
def test_networks_with_lambdas_compute_the_same_without_and_can_be_loaded(name, tmp_path):
    package = larq_zoo()
    network = zoo.build(name, num_classes=5, input_shape=(32, 32, 3))
    published = getattr(package.literature, name)(
        num_classes=5, input_shape=(32, 32, 3), weights=None
    )
    published = with_recu(published)
    assert any(isinstance(layer, tf.keras.layers.Lambda) for layer in published.layers)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    network.save(tmp_path / "network.keras")
    published.set_weights(network.get_weights())
    np.testing.assert_array_equal(published(images), network(images))
    loaded = load_keras_file(tmp_path / "network.keras")
    np.testing.assert_array_equal(loaded(images), network(images))


def test_lambda_is_keras_own_afterwards_even_where_building_fails():
    larq_zoo()
    before = tf.keras.layers.Lambda
    for name in ("XNORNet", "DoReFaNet"):
        with pytest.raises(ValueError, match=rf"`input_shape` .* for {name}, got \(32, 32, 3\)"):
            zoo.build(name, num_classes=5, input_shape=(32, 32, 3))
    assert tf.keras.layers.Lambda is before
    assert not lq.context.should_quantize()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ResNet50",), "`name` must be one of BiRealNet, .*, XNORNet, got 'ResNet50'"),
        (("QuickNet", 1), "`num_classes` must be an integer of at least 2, got 1"),
        ((["QuickNet"],), "`name` must be one of BiRealNet, .*, XNORNet, got \\['QuickNet'\\]"),
        (("zoo/ResNet50",), "`name` must be one of .*, got 'zoo/ResNet50'"),
        (("QuickNet", 10.5), "`num_classes` must be an integer of at least 2, got 10.5"),
        (("QuickNet", "10"), "`num_classes` must be an integer of at least 2, got '10'"),
        (("QuickNet", 10, None), r"`input_shape` must be \(height, .* got None"),
        (("QuickNet", 10, np.ones((2, 2))), r"three .*, got array\(\[\[1., 1.\], \[1., 1.\]\]\)"),
        (("QuickNet", 10, 64), r"`input_shape` must be \(height, .* got 64"),
        (("QuickNet", 10, (True, 64, 3)), r"three positive integers, got \(True, 64, 3\)"),
        (("QuickNet", 10, (64, 64, 3), 3), '`weights` must be None, "imagenet" or .* got int'),
        (("QuickNet", 10, (64, 64)), r"`input_shape` must be \(height, .* got \(64, 64\)"),
        (("QuickNet", 10, (0, 64, 3)), "three positive integers, got"),
        (("QuickNet", 10, (None, None, 3)), "three positive integers, got"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    names = ("name", "num_classes", "input_shape", "weights")
    with pytest.raises(ValueError, match=message):
        zoo.build(**dict(zip(names, arguments, strict=False)))


@pytest.mark.slow
def test_shapes_are_any_three_integers_and_names_may_have_their_prefix():
    larq_zoo()
    network = zoo.build("zoo/QuickNetSmall", num_classes=np.int64(2), input_shape=[32, 32, 3])
    assert network.input_shape == (None, 32, 32, 3)
    size = np.int64(32)
    network = zoo.build("QuickNetSmall", num_classes=2, input_shape=(size, size, 3))
    assert network.output_shape == (None, 2)


def test_without_larq_zoo_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "larq_zoo", None)
    with pytest.raises(ImportError, match=r"pip install 'recu_tf\[zoo\]'"):
        zoo.build("QuickNet")
