"""Whole networks with random weights: the delegate, the engine and Keras."""

import numpy as np
import pytest
import tensorflow as tf
from binary_parts import cut
from conftest import small_resnet
from delegates import (
    BACKENDS,
    count_parts,
    load_without_xnnpack,
    need_delegate,
    run_delegate,
    run_engine,
    run_images,
)
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


def draw(*shape):
    return np.random.normal(size=shape).astype(np.float32)


def check_bits(flatbuffer, num_threads=1):
    """Compares what the delegate runs with the engine, bit for bit, in all backends."""
    part, inputs = cut(flatbuffer)
    wanted = run_engine(part, *inputs)
    assert wanted
    for backend in BACKENDS:
        got = run_delegate(part, *inputs, backend=backend, num_threads=num_threads)
        for number, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
            assert ours.tobytes() == theirs.tobytes(), (backend, number)


def count_near(got, wanted):
    """How many images have outputs that differ by what sums in another order do."""
    differences = np.abs(got - wanted).max(axis=tuple(range(1, wanted.ndim)))
    return np.count_nonzero(differences <= 1e-4 * np.abs(wanted).max())


def check_outputs(flatbuffer, model, count=4):
    """Compares whole outputs with the engine, and then with Keras.

    Where a float layer rounds otherwise, a sign turns if a value is that close to 0, and in a
    network of random weights much of what comes after. So few images may differ, but not all do
    unless the engine differs as well; all do where operators are connected wrongly.
    """
    images = draw(count, *model.input_shape[1:])
    (got,) = run_images(load_without_xnnpack(flatbuffer), images)
    engine = np.concatenate([run_engine(flatbuffer, image[np.newaxis])[0] for image in images])
    assert count_near(got, engine) >= count // 2
    in_keras = model.predict(images, verbose=0)
    assert count_near(got, in_keras) or not count_near(engine, in_keras)


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
    zoo = pytest.importorskip("larq_zoo", reason="needs larq-zoo, the extra zoo")
    build = getattr(zoo.sota, name, None) or getattr(zoo.literature, name)
    model = build(input_shape=(224, 224, 3), num_classes=10, weights=None)
    # Without the softmax, which makes all but one output 0.
    model = with_random_statistics(tf.keras.Model(model.input, model.layers[-2].output))
    flatbuffer = export.convert(model)
    check_bits(flatbuffer)
    check_outputs(flatbuffer, model)
    assert count_parts(flatbuffer) == ZOO[name]
