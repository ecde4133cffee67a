"""Each architecture from its construction to both interpreters."""

import ctypes
import gc

import numpy as np
import pytest
import tensorflow as tf
from conftest import need
from delegates import need_delegate
from network_agreement import check_bits, check_outputs, draw
from networks import with_random_statistics

import export
from recu_tf import choices, models

need_delegate()

# XNORNet has a 6x6 window behind four reductions. DoReFaNet ends in the maximum over an image of
# 64x64: almost all signs behind it are +1, whatever the image, and no gradient passes them.
SIZES = {"zoo/XNORNet": 217, "zoo/DoReFaNet": 128}
USUAL_SIZES = {"cifar10": 32, "imagenet": 64}
# The others take longer.
EVERYDAY = ("resnet20_1w1a",)
# runtime/test_published_networks.py checks of the published networks what is checked of the others
# here. Of larq-zoo, these have the layers of QuickNet and of BinaryDenseNet28, more of them.
LARGER = {"zoo/QuickNetLarge", "zoo/BinaryDenseNet37", "zoo/BinaryDenseNet45"}
LEARNING_ALONE = {*models.CIFAR_NETWORKS, *models.IMAGENET_NETWORKS, *LARGER}
LEARNING_ALONE -= {*EVERYDAY}


def list_architectures(*, exported):
    return [
        pytest.param(
            name,
            dataset,
            id=f"{name}-{dataset}",
            marks=() if name in EVERYDAY else pytest.mark.slow,
        )
        for dataset, names in (
            ("cifar10", models.CIFAR_NETWORKS),
            ("imagenet", models.IMAGENET_NETWORKS),
            ("imagenet", [choices.ZOO_PREFIX + name for name in choices.ZOO_NETWORKS]),
        )
        for name in names
        if exported == (name not in LEARNING_ALONE)
    ]


@pytest.fixture(autouse=True)
def _return_memory():
    """Networks hold themselves in circles, and the allocator what they held."""
    yield
    tf.keras.backend.clear_session()
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def take_step(model, layers, images, *, from_logits):
    """One step of SGD with so large a learning rate that float32 rounds no change away."""
    kernels = [layer.kernel.latent_variable for layer in layers]
    with tf.GradientTape() as tape:
        loss = tf.keras.losses.sparse_categorical_crossentropy(
            np.arange(len(images)), model(images, training=True), from_logits=from_logits
        )
    gradients = tape.gradient(loss, kernels)
    tf.keras.optimizers.SGD(1.0).apply_gradients(zip(gradients, kernels, strict=True))


def build_and_check_learning(name, dataset):
    """A small variant of a network after a step that changed each of its binary kernels.

    Returns:
        The model and its quantised layers.
    """
    from_zoo = name in choices.ZOO_MODELS
    if from_zoo:
        need("larq_zoo")
    size = SIZES.get(name, USUAL_SIZES[dataset])
    model = models.build(name, dataset, num_classes=5, input_shape=(size, size, 3))
    layers = [layer for layer in model.layers if getattr(layer, "kernel_quantizer", None)]
    assert layers
    # The ImageNet ResNets start with gammas of 1e-8: their kernels learn nothing in the first step.
    model = with_random_statistics(model)

    before = [layer.kernel.latent_variable.numpy() for layer in layers]
    take_step(model, layers, draw(4, size, size, 3), from_logits=not from_zoo)
    assert [
        layer.name
        for layer, kernel in zip(layers, before, strict=True)
        if np.array_equal(layer.kernel.latent_variable.numpy(), kernel)
    ] == []
    return model, layers


@pytest.mark.parametrize(("name", "dataset"), list_architectures(exported=False))
def test_architecture_learns_everywhere(name, dataset):
    build_and_check_learning(name, dataset)


@pytest.mark.parametrize(("name", "dataset"), list_architectures(exported=True))
def test_architecture_learns_everywhere_and_is_the_same_in_both_interpreters(name, dataset):
    model, layers = build_and_check_learning(name, dataset)
    if name in choices.ZOO_MODELS:
        # Without the softmax, which makes all but one output 0.
        model = tf.keras.Model(model.input, model.layers[-2].output)
    model = export.float32_model(model)
    rewritten, _ = export.rewrite(model, draw(4, *model.input_shape[1:]))
    flatbuffer = export.convert(rewritten)
    # The first layer of BinaryAlexNet has a binary kernel for an image that is not binary.
    binary = [layer for layer in layers if layer.input_quantizer is not None]
    audited = export.audit(flatbuffer, model)
    assert audited.passed
    assert audited.binary == len(binary)
    check_bits(flatbuffer)
    check_outputs(flatbuffer, model)
