import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, few_digits, tiny_resnet
from small_networks import SMALL_NETWORKS

from recu_tf import models
from recu_tf.layers import ChannelScale
from recu_tf.models.registry import CIFAR_NETWORKS, IMAGENET_NETWORKS
from recu_tf.runs.keras_file import load_keras

# Of each kind, by its published name and a data set of its variant.
KINDS = {
    ("resnet20_1w1a", "digits"): "cifar_resnet20",
    ("resnet18_1w1a", "imagenet"): "imagenet_resnet18",
    ("two_stage_resnet18_1w1a", "imagenet"): "imagenet_two_stage_resnet18",
}


@pytest.fixture(params=KINDS, ids=KINDS.values())
def kind(request, monkeypatch):
    (name, dataset), builder = request.param, SMALL_NETWORKS[KINDS[request.param]]
    networks = CIFAR_NETWORKS if dataset == "digits" else IMAGENET_NETWORKS
    monkeypatch.setitem(networks, name, builder)
    return name, dataset


def binarize(layer):
    """The signs of a kernel without the mean of each filter."""
    kernel = layer.kernel.numpy()
    return np.sign(kernel - kernel.mean(axis=(0, 1, 2)))


def test_second_stage_starts_with_all_weights_but_the_alphas(kind, tmp_path):
    first = models.build(
        *kind, num_classes=3, input_shape=(32, 32, 3), precision="binary_activations"
    )
    first.set_weights([np.random.default_rng(0).random(w.shape) for w in first.weights])
    # Loaded from a file, as in a training: there, weights have other names.
    first.save(tmp_path / "first.keras")
    second = models.build_second_stage(load_keras(tmp_path / "first.keras"), *kind)
    assert models.get_precision(second) == "binary"
    for layer in second.layers:
        if not layer.weights:
            continue  # The others are numbered anew by Keras.
        values, before = layer.get_weights(), first.get_layer(layer.name).get_weights()
        if isinstance(layer, ChannelScale):
            assert not np.array_equal(values[0], before[0])
        elif getattr(layer, "kernel_quantizer", None) is not None:
            kernel, tau = values
            np.testing.assert_array_equal(kernel, before[0])
            assert tau == np.float32(0.85)
            np.testing.assert_array_equal(layer.kernel_quantizer(layer.kernel), binarize(layer))
        else:
            assert_same_arrays(values, before)


def test_shape_and_padding_are_those_of_the_first_stage(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    first = models.build(
        "resnet20_1w1a",
        "digits",
        num_classes=7,
        input_shape=(16, 24, 3),
        precision="float",
        rotated=True,
    )
    second = models.build_second_stage(first, "resnet20_1w1a", "digits")
    assert models.get_variant(second) == {**models.get_variant(first), "precision": "binary"}


def test_every_tensor_must_have_a_place(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    options = {"precision": "binary_activations"}
    wide = models.build("vgg_small_1w1a", "digits", **options)
    message = "`network` must be a resnet20_1w1a for digits, got tensors that have no place in it: "
    with pytest.raises(ValueError, match=message + r".*conv5/kernel \(3, 3, 512, 512\)"):
        models.build_second_stage(wide, "resnet20_1w1a", "digits")
    first = models.build("resnet20_1w1a", "digits", **options)
    part = tf.keras.Model(first.input, tf.keras.layers.GlobalAvgPool2D()(first.layers[4].output))
    with pytest.raises(ValueError, match=r"got no tensors for .*linear/kernel, linear/bias\."):
        models.build_second_stage(part, "resnet20_1w1a", "digits")


def test_binary_kernels_are_refused(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    binary = models.build("resnet20_1w1a", "digits")
    message = "`network` must have real kernels, got 'resnet20_1w1a' with binary ones"
    with pytest.raises(ValueError, match=message):
        models.build_second_stage(binary, "resnet20_1w1a", "digits")
