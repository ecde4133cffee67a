from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, compile_classifier
from networks import with_random_statistics
from small_networks import KINDS, SMALL_NETWORKS, SMALL_STAGES

from recu_tf import larq_summary, models, optimizers
from recu_tf.choices import NETWORK_PRECISIONS
from recu_tf.layers import BinaryConv2D
from recu_tf.models.residual import ResidualNetwork
from recu_tf.quantizers import ReCU, StandardizedApproxSign, StandardizedSteSign
from recu_tf.runs.keras_file import load_keras

QUANTIZERS = {
    "binary": (ReCU, StandardizedApproxSign),
    "binary_activations": (type(None), StandardizedApproxSign),
    "float": (type(None), type(None)),
}
NETWORKS = [
    pytest.param(name, dataset, id=f"{name}-{dataset}", marks=[pytest.mark.slow] if number else [])
    for dataset, networks in (
        ("cifar10", models.CIFAR_NETWORKS),
        ("imagenet", models.IMAGENET_NETWORKS),
    )
    for number, name in enumerate(networks)
]
SHAPE = (32, 32, 3)


def build_all(monkeypatch, name, dataset):
    """A published network in each precision; the residual ones with two blocks."""
    networks = models.CIFAR_NETWORKS if dataset == "cifar10" else models.IMAGENET_NETWORKS
    if isinstance(networks[name], ResidualNetwork):
        monkeypatch.setitem(networks, name, replace(networks[name], stages=SMALL_STAGES))
    return {
        precision: models.build(name, dataset, precision=precision, input_shape=SHAPE)
        for precision in NETWORK_PRECISIONS
    }


def list_shapes(variables):
    return [(variable.name, tuple(variable.shape)) for variable in variables]


def find_convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, BinaryConv2D)]


@pytest.mark.parametrize(("name", "dataset"), NETWORKS)
def test_precisions_differ_in_nothing_but_quantizers(name, dataset, monkeypatch):
    built = build_all(monkeypatch, name, dataset)
    binary = built["binary"]
    assert [model.name for model in built.values()] == [
        name,
        f"{name}_binary_activations",
        f"{name}_float",
    ]
    for precision, model in built.items():
        assert models.get_precision(model) == precision
        assert {
            (type(layer.kernel_quantizer), type(layer.input_quantizer))
            for layer in find_convolutions(model)
        } == {QUANTIZERS[precision]}
        assert [type(layer) for layer in model.layers] == [type(layer) for layer in binary.layers]
        assert model.output_shape == binary.output_shape
        assert list_shapes(model.trainable_weights) == list_shapes(binary.trainable_weights)
        regularized = list_shapes(models.select_l2_variables(model, dataset))
        if precision == "binary_activations":
            # The first stage has a rule of its own: the kernels of all convolutions.
            kernels = [layer.kernel for layer in model.layers if hasattr(layer, "kernel_size")]
            assert regularized == list_shapes(kernels)
        else:
            assert regularized == list_shapes(models.select_l2_variables(binary, dataset))
        taus = len(find_convolutions(model)) if precision == "binary" else 0
        assert len(model.weights) == len(built["float"].weights) + taus


def test_default_is_binary():
    assert models.get_precision(models.build("vgg_small_1w1a")) == "binary"


@pytest.mark.parametrize("precision", ["binary_activations", "float"])
@pytest.mark.parametrize("kind", KINDS)
def test_step_changes_every_kernel_and_the_file_keeps_the_precision(kind, precision, tmp_path):
    # The tiny gammas of a fresh network hide almost all of its kernels.
    model = with_random_statistics(SMALL_NETWORKS[kind](SHAPE, 4, precision=precision))
    compile_classifier(model, optimizers.SGD(0.01))
    model.run_eagerly = True  # tracing takes longer than the step
    images, labels = tf.random.normal((4, *SHAPE)), tf.range(4)
    before = [variable.numpy() for variable in model.trainable_variables]
    model.fit(images, labels, verbose=0)
    for earlier, variable in zip(before, model.trainable_variables, strict=True):
        if "kernel" in variable.name:
            changed = np.mean(earlier != variable.numpy())
            # ApproxSign has no gradient for large activations, the hard tanh none beyond 1.
            assert changed > 0.5, variable.name
    model.save(tmp_path / "model.keras")
    loaded = load_keras(tmp_path / "model.keras")
    assert models.get_precision(loaded) == precision
    np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize("kind", KINDS)
def test_real_weights_move_into_the_binary_network_by_name(kind):
    first = SMALL_NETWORKS[kind](SHAPE, 4, precision="binary_activations")
    second = SMALL_NETWORKS[kind](SHAPE, 4)
    values = {variable.name: variable.numpy() for variable in first.weights}
    for variable in second.weights:
        if variable.name in values:
            variable.assign(values.pop(variable.name))
    assert not values
    # Binarised, the kernels of the first are those of the second.
    for real, binary in zip(*map(find_convolutions, (first, second)), strict=True):
        real.kernel.assign(binary.kernel_quantizer(real.kernel))
    images = tf.random.normal((2, *SHAPE))
    np.testing.assert_array_equal(second(images), first(images))


@pytest.mark.parametrize("kind", SMALL_NETWORKS)
def test_fresh_float_network_sees_its_images(kind):
    """With the tiny gammas of the binary ResNets, all images would have the same logits."""
    model = SMALL_NETWORKS[kind](SHAPE, 4, precision="float")
    logits = model(tf.random.normal((8, *SHAPE)), training=True).numpy()
    assert logits.std(axis=0).max() > 1e-3


@pytest.mark.parametrize("precision", ["binary_activations", "float"])
def test_activations_keep_their_dtype_in_mixed_precision(precision):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = SMALL_NETWORKS["imagenet_resnet18"](SHAPE, 4, precision=precision)
    images = tf.random.normal((2, *SHAPE))
    assert model(images).dtype == tf.float32
    assert {layer.compute_dtype for layer in find_convolutions(model)} == {"bfloat16"}


@pytest.mark.parametrize("pad_values", [0, 1])
@pytest.mark.parametrize("precision", NETWORK_PRECISIONS)
def test_network_is_rebuilt_in_its_precision(precision, pad_values):
    options = {"precision": precision, "pad_values": pad_values, "num_classes": 3}
    model = models.build("vgg_small_1w1a", **options)
    copy = models.build_like(model, "vgg_small_1w1a", "cifar10")
    assert models.get_precision(copy) == precision
    # Real activations are padded with 0 in any case.
    padding = 0 if precision == "float" else pad_values
    assert {layer.pad_values for layer in find_convolutions(copy)} == {padding}
    images = tf.random.normal((2, *SHAPE))
    np.testing.assert_array_equal(copy(images), model(images))


@pytest.mark.parametrize("precision", NETWORK_PRECISIONS)
def test_summary_counts_one_bit_only_where_it_is(precision):
    model = models.build("vgg_small_1w1a", precision=precision)
    profile = larq_summary.profile(model)
    sizes = [layer.kernel.shape.num_elements() for layer in find_convolutions(model)]
    is_binary = precision == "binary"
    assert profile.weight_count(bitwidth=1) == (sum(sizes) if is_binary else 0)
    operations = sum(layer.op_count("mac", 1) or 0 for layer in profile.layer_profiles)
    assert (operations > 0) == is_binary


def test_unknown_precision_is_refused():
    message = "`precision` must be one of binary, binary_activations, float, got 'float32'"
    with pytest.raises(ValueError, match=message):
        models.build("resnet20_1w1a", precision="float32")


def test_input_quantizer_is_kept_by_copies_and_files(tmp_path):
    model = models.build("vgg_small_1w1a", input_quantizer="standardized_ste_sign")
    assert {type(layer.input_quantizer) for layer in find_convolutions(model)} == {
        StandardizedSteSign
    }
    model.save(tmp_path / "model.keras")
    for loaded in (model, tf.keras.models.load_model(tmp_path / "model.keras")):
        assert models.get_variant(loaded)["input_quantizer"] == "standardized_ste_sign"
        copy = models.build_like(loaded, "vgg_small_1w1a", "cifar10")
        assert models.get_variant(copy) == models.get_variant(model)
    published = models.build_like(
        model, "vgg_small_1w1a", "cifar10", input_quantizer="standardized_approx_sign"
    )
    assert models.get_variant(published)["input_quantizer"] == "standardized_approx_sign"
    assert_same_arrays(published.get_weights(), model.get_weights())


def test_unknown_input_quantizer_is_refused():
    message = "`input_quantizer` must be one of standardized_approx_sign, .*, got 'ste_sign'"
    with pytest.raises(ValueError, match=message):
        models.build("resnet20_1w1a", input_quantizer="ste_sign")
    with pytest.raises(ValueError, match=r"`input_quantizer` must be .* for zoo/QuickNet"):
        models.build("zoo/QuickNet", "imagenet", input_quantizer="standardized_ste_sign")
