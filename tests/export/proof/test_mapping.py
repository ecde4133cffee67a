import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import export
from export.conversion.int8.quantize import quantize
from export.keras_graph import binary_layers
from export.proof import mapping
from export.tflite.flatbuffer import read

K = tf.keras.layers
WITH_KERNEL = tuple(mapping.KERNEL_INPUT)


def binary(name, filters=32, **options):
    options = {"padding": "same", "use_bias": False, "input_quantizer": "ste_sign", **options}
    return lq.layers.QuantConv2D(filters, 3, kernel_quantizer="ste_sign", name=name, **options)


def layers_with_kernel(model):
    """The layer of each operator with a kernel, by its path."""
    file = read(export.convert(model))
    names = {
        id(layer): path
        for path, layer in reversed(binary_layers.list_layers_by_path(model).items())
    }
    return [
        names.get(id(owner))
        for operator, owner in zip(file.operators, mapping.map_operators(file, model), strict=True)
        if operator.name in WITH_KERNEL
    ]


def test_names_that_are_alike_are_told_apart():
    names = ["conv", "conv_1", "conv1", "layer1.0.conv1", "block/conv", "block/conv1", "net"]
    x = inputs = tf.keras.Input((6, 6, 32))
    for name in names:
        x = K.ReLU()(K.BatchNormalization()(binary(name)(x)))
    assert layers_with_kernel(tf.keras.Model(inputs, x, name="net")) == names


def test_dense_layer_is_known_although_a_batch_norm_is_multiplied_into_its_kernel():
    inputs = tf.keras.Input((6, 6, 8))
    norm = K.BatchNormalization()
    x = norm(K.GlobalAveragePooling2D(keepdims=True)(binary("conv", 32)(inputs)))
    # The converter does so where the dense layer has a bias that is not 0.
    dense = K.Dense(10, bias_initializer="ones", name="fc")
    model = tf.keras.Model(inputs, dense(K.Flatten()(x)))
    norm.set_weights([np.linspace(-1, 1, 32) * (i + 0.5) + (i == 3) * 9 for i in range(4)])
    assert layers_with_kernel(model) == ["conv", "fc"]


def test_names_that_the_rewriting_gives_belong_to_the_layers_that_it_replaced():
    layers = {name: K.Dense(1, name=name) for name in ("conv", "add", "layer.map")}
    found = {
        name: [layer.name for layer in mapping.find_layers(name, layers)]
        for name in ("model/conv.ones/add", "model/conv.flat/Reshape", "model/layer.map/Reshape")
    }
    assert list(found.values()) == [["conv"], ["conv"], ["layer.map"]]


def test_nested_models_and_layers_called_twice():
    inner_inputs = tf.keras.Input((6, 6, 32))
    inner = tf.keras.Model(inner_inputs, K.BatchNormalization()(binary("conv")(inner_inputs)))
    inner._name = "inner"
    conv, conv_1 = binary("conv"), binary("conv_1")
    inputs = tf.keras.Input((6, 6, 32))
    x = conv_1(K.ReLU()(conv(inputs)))
    x = inner(conv(inner(x)))
    got = layers_with_kernel(tf.keras.Model(inputs, x))
    assert got == ["conv", "conv_1", "inner/conv", "conv", "inner/conv"]


class Block(K.Layer):
    """Layers within a layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = binary("first")
        self.second = binary("second")

    def call(self, inputs):
        return self.second(tf.nn.relu(self.first(inputs)))


def test_layers_within_layers_are_found():
    inputs = tf.keras.Input((6, 6, 32))
    model = tf.keras.Model(inputs, Block(name="b")(Block(name="a")(inputs)))
    assert layers_with_kernel(model) == ["a/first", "a/second", "b/first", "b/second"]


@pytest.mark.slow
def test_names_longer_than_the_file_keeps_do_not_matter():
    x = inputs = tf.keras.Input((6, 6, 32))
    names = [f"a_convolution_with_a_name_of_more_than_fifty_characters_{i}" for i in range(3)]
    for name in names:
        x = K.BatchNormalization()(binary(name, pad_values=1.0)(x))
    assert layers_with_kernel(tf.keras.Model(inputs, x)) == names


@pytest.mark.slow
def test_kernels_are_recognised_behind_what_was_folded_into_them():
    tf.keras.utils.set_random_seed(0)
    x = inputs = tf.keras.Input((8, 8, 3))
    layers = [
        K.Conv2D(8, 3, name="float"),
        binary("binary", 16),
        K.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
        K.Conv2DTranspose(4, 2, name="transposed"),
    ]
    norms = []
    for layer in layers:
        norms.append(K.BatchNormalization())
        x = norms[-1](layer(x))
    x = K.Dense(2, name="dense")(K.Flatten()(x))
    model = tf.keras.Model(inputs, x)
    for norm in norms:
        norm.gamma.assign(np.random.default_rng(0).choice([-2.0, -0.5, 1.0, 3.0], norm.gamma.shape))
    file = read(export.convert(model))
    operators = [operator for operator in file.operators if operator.name in WITH_KERNEL]
    for operator, layer in zip(operators, [*layers, model.get_layer("dense")], strict=True):
        assert mapping.has_filters_of(operator, layer)
        assert sum(mapping.has_filters_of(operator, other) for other in layers) <= 1


def test_layers_of_the_same_kernel_are_told_apart_by_name():
    x = inputs = tf.keras.Input((6, 6, 32))
    for name in ("one", "two", "three"):
        x = binary(name, kernel_initializer="ones")(x)
    assert layers_with_kernel(tf.keras.Model(inputs, x)) == ["one", "two", "three"]


def test_two_layers_that_are_one_to_the_converter_are_both_binary():
    inputs = tf.keras.Input((6, 6, 32))
    same = [binary(name, kernel_initializer="ones")(inputs) for name in ("one", "two")]
    model = tf.keras.Model(inputs, K.Concatenate()(same))
    audited = export.audit(export.convert(model), model)
    assert audited.expected == ("one", "two")
    assert audited.passed, audited
    assert audited.binary == 1


def test_one_input_for_two_convolutions_is_no_confusion():
    inputs = tf.keras.Input((6, 6, 32))
    x = K.Concatenate()([binary("left")(inputs), K.ReLU()(binary("right")(inputs))])
    assert sorted(layers_with_kernel(tf.keras.Model(inputs, x))) == ["left", "right"]


@pytest.mark.parametrize("name", ["model", "conv"])
def test_a_model_within_another_is_traced_as_well(name):
    """What the export puts around a model stands in front of every name."""
    inputs = tf.keras.Input((6, 6, 32))
    model = tf.keras.Model(inputs, binary("second")(K.ReLU()(binary("conv")(inputs))), name=name)
    around = tf.keras.Model(inputs, K.Softmax()(model(K.Rescaling(0.5)(inputs))), name="around")
    file = read(export.convert(around))
    owners = mapping.map_operators(file, model)
    found = [owner.name for owner in owners if owner is not None and binary_layers.is_binary(owner)]
    assert set(found) == {"conv", "second"}
    assert export.audit(export.convert(around), model).passed


def test_conversions_to_int8_and_back_belong_to_no_layer():
    x = inputs = tf.keras.Input((8, 8, 3))
    x = K.ReLU(name="relu")(K.Conv2D(4, 3, name="conv")(x))
    x = K.Softmax(name="probabilities")(K.Flatten()(x))
    model = tf.keras.Model(inputs, x, name="probabilities")
    images = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32)
    audited = export.audit(export.convert(quantize(model, images)), model)
    found = {row.operator: row.layer for row in audited.rows}
    assert (found["QUANTIZE"], found["DEQUANTIZE"]) == ("", "")
    assert (found["CONV_2D"], found["SOFTMAX"]) == ("conv", "probabilities")
