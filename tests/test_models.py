import json
from collections import Counter

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import shared

from recu_tf import models, optimizers, training
from recu_tf.layers import HardTanh, PadChannels
from recu_tf.quantizers import ReCU

REFERENCES = {
    "resnet20_1w1a": "cifar_resnet20",
    "resnet18_1w1a": "cifar_resnet18",
    "resnet18A_1w1a": "cifar_resnet18a",
    "resnet18B_1w1a": "cifar_resnet18b",
    "resnet18C_1w1a": "cifar_resnet18c",
    "vgg_small_1w1a": "cifar_vgg_small",
}
# From the table of the networks: binary convolutions, hard tanhs, channel paddings.
COUNTS = {
    "resnet20_1w1a": (18, 19, 2),
    "resnet18_1w1a": (16, 16, 3),
    "resnet18A_1w1a": (16, 16, 2),
    "resnet18B_1w1a": (16, 16, 3),
    "resnet18C_1w1a": (16, 16, 2),
    "vgg_small_1w1a": (5, 6, 0),
}


def published_shape(weight):
    """The shape that PyTorch has for a weight of ours."""
    shape = tuple(weight.shape)
    if len(shape) == 4:
        return (shape[3], shape[2], *shape[:2])
    if "alpha" in weight.name:
        return (*shape, 1, 1)
    return shape[::-1]


def published_name(weight):
    layer, kind = weight.name.removesuffix(":0").rsplit("/", 1)
    kinds = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    return layer if kind == "alpha" else f"{layer}.{kinds[kind]}"


def test_every_model_has_a_reference():
    assert set(REFERENCES) == set(models.MODELS) == set(COUNTS)


@pytest.mark.parametrize("name", REFERENCES)
def test_trainable_tensors_are_the_published_ones(name):
    reference = json.loads(shared("reference", "models", f"{REFERENCES[name]}.json").read_text())
    model = models.build(name)
    shapes = {tensor: tuple(shape) for tensor, shape in reference["tensors"]}
    ours = {published_name(w): published_shape(w) for w in model.trainable_weights}
    assert ours == {tensor: shapes[tensor] for tensor in reference["trainable"]}
    assert sum(w.shape.num_elements() for w in model.trainable_weights) == reference["parameters"]


@pytest.mark.parametrize("name", COUNTS)
def test_blocks_are_those_of_the_table(name):
    model = models.build(name)
    kinds = Counter(type(layer) for layer in model.layers)
    assert (kinds[lq.layers.QuantConv2D], kinds[HardTanh], kinds[PadChannels]) == COUNTS[name]
    assert len({id(m) for m in model.submodules if isinstance(m, ReCU)}) == COUNTS[name][0]


@pytest.mark.parametrize(("dataset", "classes"), [("digits", 10), ("cifar100", 100)])
def test_dataset_decides_the_number_of_classes(dataset, classes):
    assert models.build("resnet20_1w1a", dataset).output_shape == (None, classes)
    assert models.build("resnet20_1w1a", dataset, num_classes=7).output_shape == (None, 7)


def test_weights_start_as_published():
    model = models.build("resnet18_1w1a")
    kernel = model.get_layer("layer4.1.conv2").get_weights()[0]
    # 2.4 million draws: their deviation is known to 0.05 %, and one beyond 4 is among them.
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 512)), rel=2e-3)
    assert np.abs(kernel).max() > 4 * kernel.std()
    kernel, bias = model.get_layer("linear").get_weights()
    assert np.abs(kernel).max() == pytest.approx(512**-0.5, rel=1e-2)
    assert 0 < np.abs(bias).max() <= 512**-0.5
    vgg = models.build("vgg_small_1w1a")
    assert vgg.get_layer("conv2").get_weights()[0].std() == pytest.approx(
        np.sqrt(2 / (9 * 256)), rel=1e-2
    )
    kernel, bias = vgg.get_layer("fc").get_weights()
    assert kernel.std() == pytest.approx(0.01, rel=2e-2)
    assert not bias.any()
    norm = model.get_layer("layer1.0.bn1")
    assert (norm.epsilon, norm.momentum) == (1e-5, 0.9)


def test_running_variance_of_the_head_is_unbiased():
    model = models.build("resnet20_1w1a")
    images = tf.random.normal((4, 32, 32, 3))
    features = tf.keras.Model(model.input, model.get_layer("pool").output)
    pooled = features(images, training=True).numpy().reshape(4, 64)
    head = model.get_layer("bn2")
    head(pooled.reshape(4, 1, 1, 64), training=True)
    expected = 0.9 + 0.1 * pooled.var(0, ddof=1)
    np.testing.assert_allclose(head.moving_variance, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet20_1w1a", "vgg_small_1w1a"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_models_train_save_and_load(name, policy, tmp_path):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = models.build(name)
    training.compile_model(model, optimizers.SGD(0.01))
    images, labels = tf.random.normal((8, 32, 32, 3)), tf.range(8)
    before = model.get_layer("conv1").get_weights()[0]
    model.fit(images, labels, verbose=0)
    assert not np.array_equal(before, model.get_layer("conv1").get_weights()[0])
    assert model(images).dtype == tf.float32
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images), model(images))


def test_summary_reports_one_bit_kernels(capsys):
    lq.models.summary(models.build("resnet20_1w1a"))
    printed = capsys.readouterr().out
    # 3x3 kernels: 6 of 16x16, 16x32 and 5 of 32x32, 32x64 and 5 of 64x64.
    binary = 9 * (6 * 256 + 512 + 5 * 1024 + 2048 + 5 * 4096)
    assert binary == 267264
    row = next(line for line in printed.splitlines() if line.startswith("| Total "))
    assert row.split()[2] == str(binary)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet21",), "`name` must be one of resnet20_1w1a, .*got 'resnet21'"),
        (("resnet20_1w1a", "svhn"), "`dataset` must be one of digits, .*got 'svhn'"),
        (("resnet20_1w1a", "digits", 1), "`num_classes` must be at least 2, got 1"),
    ],
)
def test_unknown_models_and_datasets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build(*arguments)
