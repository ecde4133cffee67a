import json
from collections import Counter
from dataclasses import replace

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import compile_classifier, shared
from published_weights import NETWORKS
from small_networks import KINDS, SMALL_NETWORKS

from recu_tf import models, optimizers
from recu_tf.layers import BinaryConv2D, HardTanh, PadChannels
from recu_tf.models import resnet, two_stage
from recu_tf.pytorch.tensor_names import list_tensors
from recu_tf.quantizers import ReCU
from recu_tf.runs.keras_file import load_keras

REFERENCES = {network: reference for reference, network in NETWORKS.items()}
# From the table of the networks: binary convolutions, hard tanhs, channel paddings.
COUNTS = {
    "cifar_resnet20": (18, 19, 2),
    "cifar_resnet18": (16, 16, 3),
    "cifar_resnet18a": (16, 16, 2),
    "cifar_resnet18b": (16, 16, 3),
    "cifar_resnet18c": (16, 16, 2),
    "cifar_vgg_small": (5, 6, 0),
    "imagenet_resnet18": (16, 17, 0),
    "imagenet_resnet34": (32, 33, 0),
    "imagenet_two_stage_resnet18": (16, 0, 0),
    "imagenet_two_stage_resnet34": (32, 0, 0),
}
# Large enough for every stage, small enough for a test.
SMALL_INPUT = {"cifar10": (32, 32, 3), "imagenet": (64, 64, 3)}


def test_every_model_has_a_reference():
    assert {name for name, _ in REFERENCES} == set(models.MODELS)
    assert len(REFERENCES) == len(models.CIFAR_NETWORKS) + len(models.IMAGENET_NETWORKS) == 10


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(network, marks=[pytest.mark.slow] if "34" in network[0] else [], id=reference)
        for network, reference in REFERENCES.items()
    ],
)
def published(request):
    """The name of a reference, and the network, built once for all tests that only look at it."""
    return REFERENCES[request.param], models.build(*request.param)


def test_tensors_are_the_published_ones(published):
    name, model = published
    reference = json.loads(shared("reference", "models", f"{name}.json").read_text())
    ours = {tensor.name: tensor for tensor in list_tensors(model)}
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        tensor: tuple(shape)
        for tensor, shape in reference["tensors"]
        if not tensor.endswith("num_batches_tracked")
    }
    trainable = {id(getattr(w, "latent_variable", w)) for w in model.trainable_weights}
    assert trainable == {id(ours[tensor].variable) for tensor in reference["trainable"]}
    assert sum(w.shape.num_elements() for w in model.trainable_weights) == reference["parameters"]


def test_blocks_are_those_of_the_table(published):
    name, model = published
    kinds = Counter(type(layer) for layer in model.layers)
    assert (kinds[BinaryConv2D], kinds[HardTanh], kinds[PadChannels]) == COUNTS[name]
    assert len({id(m) for m in model.submodules if isinstance(m, ReCU)}) == COUNTS[name][0]


@pytest.mark.parametrize(("dataset", "classes"), [("digits", 10), ("cifar100", 100)])
def test_dataset_decides_the_number_of_classes(dataset, classes):
    assert models.build("vgg_small_1w1a", dataset).output_shape == (None, classes)
    assert models.build("vgg_small_1w1a", dataset, num_classes=7).output_shape == (None, 7)


def test_vgg_small_takes_images_down_to_its_smallest_size():
    assert models.build("vgg_small_1w1a", input_shape=[8, 8, 1]).input_shape == (None, 8, 8, 1)


@pytest.mark.slow
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
    model = SMALL_NETWORKS["cifar_resnet20"]()
    images = tf.random.normal((4, 32, 32, 3))
    features = tf.keras.Model(model.input, model.get_layer("pool").output)
    pooled = features(images, training=True).numpy().reshape(4, 16)
    head = model.get_layer("bn2")
    head(pooled.reshape(4, 1, 1, 16), training=True)
    expected = 0.9 + 0.1 * pooled.var(0, ddof=1)
    np.testing.assert_allclose(head.moving_variance, expected, rtol=1e-5)


def train_save_and_load(model, path):
    compile_classifier(model, optimizers.SGD(0.01))
    model.run_eagerly = True  # tracing takes longer than the step
    images, labels = tf.random.normal((4, *model.input_shape[1:])), tf.range(4)
    classifier = model.layers[-1]
    before = classifier.get_weights()[0]
    history = model.fit(images, labels, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(before, classifier.get_weights()[0])
    assert model(images).dtype == tf.float32
    model.save(path)
    loaded = load_keras(path)
    np.testing.assert_array_equal(loaded(images), model(images))
    return model, images


@pytest.mark.parametrize("pad_values", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_networks_train_save_and_load(kind, pad_values, tmp_path):
    model = SMALL_NETWORKS[kind]((32, 32, 3), 10, pad_values)
    train_save_and_load(model, tmp_path / "model.keras")
    assert {layer.pad_values for layer in model.layers if isinstance(layer, BinaryConv2D)} == {
        pad_values
    }


@pytest.mark.parametrize("kind", KINDS)
def test_networks_train_in_mixed_precision(kind, tmp_path):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    train_save_and_load(SMALL_NETWORKS[kind]((32, 32, 3), 10), tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dataset"), REFERENCES)
def test_published_networks_train_save_and_load(name, dataset, tmp_path):
    model = models.build(name, dataset, input_shape=SMALL_INPUT[dataset])
    train_save_and_load(model, tmp_path / "model.keras")


def test_tiny_activations_keep_their_signs_in_float16():
    """The ImageNet ResNets start with gamma 1e-8, which float16 rounds to 0."""
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    model = replace(resnet.imagenet_resnet18, stages=((2, 64),))((64, 64, 3))
    convolution = model.get_layer("layer1.1.conv1")
    features = tf.keras.Model(model.input, convolution.input)
    activations = features(tf.random.normal((2, 64, 64, 3)), training=True)
    assert activations.dtype == tf.float32
    assert 0 < np.abs(activations).max() < 1e-6
    negative = np.mean(convolution.input_quantizer(activations) < 0)
    # Were the input cast first, all would be the sign of 0, which is +1.
    assert negative > 0.05


@pytest.mark.parametrize("network", [resnet.imagenet_resnet18, two_stage.two_stage_resnet18])
def test_odd_feature_maps_work(network):
    """200 pixels become 50 behind the stem, then 25, 13 and 7."""
    model = replace(network, stages=((1, 8), (1, 16), (1, 24), (1, 32)))((200, 200, 3), 3)
    sizes = [model.get_layer(layer).output_shape[1:3] for layer in last_convolutions(model)]
    assert sizes == [(50, 50), (25, 25), (13, 13), (7, 7)]
    assert model(tf.zeros((1, 200, 200, 3))).shape == (1, 3)


def last_convolutions(model):
    """The last binary convolution of each stage."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, BinaryConv2D):
            found[layer.name.split(".")[0]] = layer.name
    return found.values()


@pytest.mark.slow
def test_imagenet_networks_start_as_published():
    model = models.build("resnet18_1w1a", "imagenet", input_shape=(64, 64, 3))
    gammas = {layer.name: layer.gamma.numpy() for layer in model.layers if "bn" in layer.name}
    assert (gammas.pop("bn2") == 1).all()
    assert all((gamma == np.float32(1e-8)).all() for gamma in gammas.values())
    projection = model.get_layer("layer4.0.downsample.0").get_weights()[0]
    assert projection.std() == pytest.approx(np.sqrt(2 / 256), rel=1e-2)

    model = models.build("two_stage_resnet18_1w1a", "imagenet", input_shape=(64, 64, 3))
    for name, fan_in in (("conv", 147), ("layer4.1.conv", 9 * 512), ("layer4.0.downsample.1", 256)):
        kernel = model.get_layer(name).get_weights()[0]
        assert np.abs(kernel).max() == pytest.approx(fan_in**-0.5, rel=1e-2)
        # Uniform: the deviation is the limit over the square root of 3.
        assert kernel.std() == pytest.approx((3 * fan_in) ** -0.5, rel=2e-2)
    prelu = model.get_layer("layer1.0.nonlinear")
    assert prelu.alpha.shape == (1, 1, 64)
    assert (prelu.alpha.numpy() == 0.25).all()
    assert not model.get_layer("layer1.0.move1").bias.numpy().any()
    assert (model.get_layer("bn").gamma.numpy() == 1).all()


@pytest.mark.slow
def test_summary_reports_one_bit_kernels(capsys):
    lq.models.summary(models.build("resnet20_1w1a"))
    printed = capsys.readouterr().out
    # 3x3 kernels: 6 of 16x16, 16x32 and 5 of 32x32, 32x64 and 5 of 64x64.
    binary = 9 * (6 * 256 + 512 + 5 * 1024 + 2048 + 5 * 4096)
    assert binary == 267264
    row = next(line for line in printed.splitlines() if line.startswith("| Total "))
    assert row.split()[2] == str(binary)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("resnet21",), {}, "`name` must be one of resnet20_1w1a, .*got 'resnet21'"),
        (("resnet20_1w1a", "svhn"), {}, "`dataset` must be one of digits, .*got 'svhn'"),
        (
            ("resnet20_1w1a", "digits"),
            {"num_classes": 1},
            "`num_classes` must be an integer of at least 2, got 1",
        ),
        (
            ("resnet34_1w1a", "folder"),
            {},
            "`num_classes` must be an integer of at least 2, got None",
        ),
        (("resnet20_1w1a", "imagenet"), {}, "must be one of resnet18_1w1a, .* for imagenet, got"),
        (("two_stage_resnet18_1w1a", "cifar10"), {}, "must be one of resnet20_1w1a, .* for cifar1"),
        (("resnet20_1w1a",), {"num_classes": "10"}, "`num_classes` must be an integer .* '10'"),
        (("resnet20_1w1a",), {"input_shape": (3, 3)}, r"three positive integers, got \(3, 3\)"),
        (("resnet20_1w1a",), {"input_shape": (0, 3, 3)}, r"positive integers, got \(0, 3, 3\)"),
        (("resnet18_1w1a", "own"), {"input_shape": 32}, "three positive integers, got 32"),
        (("vgg_small_1w1a",), {"input_shape": (4, 9, 3)}, r"least \(8, 8\) for vgg.* \(4, 9, 3\)"),
        (("resnet20_1w1a", "digits"), {"pad_values": -1}, "`pad_values` must be 0 or 1, got -1"),
    ],
)
def test_unknown_models_and_datasets_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(*arguments, **options)
