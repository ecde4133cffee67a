"""Whole networks with random weights: the delegate, the engine and Keras."""

import pytest
import tensorflow as tf
from conftest import need, small_resnet
from delegates import count_parts, need_delegate, run_images
from network_agreement import check_bits, check_outputs, count_near, draw
from networks import with_random_statistics

import export
from export import runtime
from export.keras_graph.binary_layers import get_latent_kernel, is_binary_convolution
from recu_tf import models

need_delegate()

# Networks of larq-zoo, and in how many parts the delegate runs them: the float convolutions between
# the stages are the interpreter's.
ZOO = {
    "QuickNetSmall": 4,
    "QuickNet": 4,
    "BiRealNet": 4,
    "BinaryDenseNet28": 4,
}
PARTS = {"resnet18_1w1a": 4, "resnet34_1w1a": 4}
PARTS |= {"two_stage_resnet18_1w1a": 4, "two_stage_resnet34_1w1a": 4}


@pytest.mark.parametrize("pad_values", [0, 1])
def test_small_network_has_the_bits_of_the_engine(pad_values):
    model = with_random_statistics(small_resnet((12, 12, 3), 5, pad_values))
    flatbuffer = export.convert(model)
    check_bits(flatbuffer)
    check_bits(flatbuffer, num_threads=2)
    check_outputs(flatbuffer, model)
    images = draw(4, 12, 12, 3)
    assert count_near(*run_images(runtime.load(flatbuffer), images), model.predict(images)) == 4


def test_int8_network_has_the_bits_of_the_engine():
    model = with_random_statistics(small_resnet((12, 12, 3), 5, pad_values=1))
    flatbuffer = export.convert(export.quantize(model, draw(32, 12, 12, 3)))
    check_bits(flatbuffer)


def check_size(flatbuffer, model):
    """Fails unless a file has a bit for each binary weight, and four bytes for any other."""
    audited = export.audit(flatbuffer, model)
    convolutions = [layer for layer in model.submodules if is_binary_convolution(layer)]
    assert audited.passed
    assert audited.binary == len(audited.expected) == len(convolutions) > 0
    bits = sum(get_latent_kernel(layer).size for layer in convolutions)
    others = model.count_params() - bits
    assert len(flatbuffer) <= 1.03 * (bits / 8 + 4 * others) + 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        *((name, "cifar10") for name in models.CIFAR_NETWORKS),
        *((name, "imagenet") for name in models.IMAGENET_NETWORKS),
    ],
)
def test_published_networks_are_binary_and_small_and_have_the_bits_of_the_engine(name, dataset):
    size = 32 if dataset == "cifar10" else 224
    model = with_random_statistics(
        models.build(name, dataset, num_classes=10, input_shape=(size, size, 3))
    )
    rewritten, steps = export.rewrite(export.float32_model(model), draw(4, size, size, 3))
    assert all(step.kept for step in steps)
    # The factors of their batch norms are small enough.
    assert "keep large factors out of binary convolutions" not in {step.name for step in steps}
    flatbuffer = export.convert(rewritten)
    check_size(flatbuffer, model)
    check_bits(flatbuffer)
    check_outputs(flatbuffer, model)
    assert count_parts(flatbuffer) == (1 if dataset == "cifar10" else PARTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_networks_of_larq_zoo_have_the_bits_of_the_engine(name):
    zoo = need("larq_zoo")
    build = getattr(zoo.sota, name, None) or getattr(zoo.literature, name)
    model = build(input_shape=(224, 224, 3), num_classes=10, weights=None)
    # Without the softmax, which makes all but one output 0.
    model = with_random_statistics(tf.keras.Model(model.input, model.layers[-2].output))
    flatbuffer = export.convert(model)
    check_bits(flatbuffer)
    check_outputs(flatbuffer, model)
    assert count_parts(flatbuffer) == ZOO[name]
