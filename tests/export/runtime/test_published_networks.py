"""Whole networks with random weights: the delegate, the engine and Keras."""

import pytest
import tensorflow as tf
from conftest import need, small_resnet
from delegates import count_parts, need_delegate, run_images
from network_agreement import check_bits, check_outputs, count_near, draw
from networks import with_random_statistics

import export
from export import runtime
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        *((name, "cifar10") for name in models.CIFAR_NETWORKS),
        *((name, "imagenet") for name in models.IMAGENET_NETWORKS),
    ],
)
def test_published_networks_have_the_bits_of_the_engine(name, dataset):
    size = 32 if dataset == "cifar10" else 224
    model = with_random_statistics(
        models.build(name, dataset, num_classes=10, input_shape=(size, size, 3))
    )
    rewritten, _ = export.rewrite(export.float32_model(model), draw(4, size, size, 3))
    flatbuffer = export.convert(rewritten)
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
