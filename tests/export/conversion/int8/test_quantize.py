import larq as lq
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, compile_classifier, small_resnet
from tiny_networks import WithoutConfig

from export import BACKENDS, audit, convert
from export.conversion.baselines import convert_int8_baseline
from export.conversion.int8.quantize import FakeQuant, quantize
from export.tflite.flatbuffer import read
from recu_tf import data, optimizers
from recu_tf.layers import ChannelScale, HardTanh, LearnableBias
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers


def operators(flatbuffer):
    """Of each operator its name and the names of its inputs' and outputs' types."""

    def list_types(tensors):
        return [tensor.dtype for tensor in tensors if tensor is not None]

    return [
        (operator.name, list_types(operator.inputs), list_types(operator.outputs))
        for operator in read(flatbuffer).operators
    ]


def in_float(found):
    """Operators that compute in float32: not those that are binary or go from or to int8."""
    passing = ("QUANTIZE", "DEQUANTIZE", "LceQuantize", "LceBconv2d")
    return [name for name, inputs, _ in found if "FLOAT32" in inputs and name not in passing]


def names(found):
    return [name for name, _, _ in found]


def digits(split, count):
    images, labels = data.load("digits", split)
    return images[:count], labels[:count]


@pytest.fixture(scope="module")
def trained_on_digits():
    tf.keras.utils.set_random_seed(0)
    model = small_resnet((32, 32, 3), 10, pad_values=1)
    # Down to 0: with a constant rate what the last steps do to a batch norm can cost every class.
    rate = tf.keras.optimizers.schedules.CosineDecay(0.1, decay_steps=10 * 24)
    compile_classifier(model, optimizers.SGD(rate))
    model.fit(*digits("train", 1200), batch_size=50, epochs=10, verbose=0)
    return model


@pytest.fixture(scope="module")
def padded_with_ones(trained_on_digits):
    return trained_on_digits, convert(quantize(trained_on_digits, digits("train", 256)[0]))


@pytest.mark.slow
def test_all_but_the_binary_convolutions_is_int8(padded_with_ones):
    model, flatbuffer = padded_with_ones
    found = operators(flatbuffer)
    assert in_float(found) == []
    assert names(found).count("LceBconv2d") == 4
    assert audit(flatbuffer, model).passed
    # One conversion at each end; the rest reads and writes int8.
    assert (names(found)[0], names(found)[-1]) == ("QUANTIZE", "DEQUANTIZE")
    assert {"CONV_2D", "ADD", "AVERAGE_POOL_2D", "MEAN", "FULLY_CONNECTED"} <= set(names(found))
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(names(found)[1:-1])


@pytest.mark.slow
def test_classes_of_real_digits_stay(padded_with_ones):
    model, flatbuffer = padded_with_ones
    images, labels = digits("test", 300)
    expected = model.predict(images, verbose=0)
    got = lce.testing.Interpreter(flatbuffer).predict(images)
    # Values within half a level of 0 turn their sign, and in a network of 8 channels, trained for
    # seconds, that moves the closest decisions: 4 to 10 % over four seeds, of which the accuracy
    # (88 to 91 %) loses at most 4. With wrong ranges most would move.
    kept = np.mean(got.argmax(1) == expected.argmax(1))
    assert np.mean(expected.argmax(1) == labels) > 0.7
    assert kept >= 0.8, kept
    assert np.mean(got.argmax(1) == labels) >= np.mean(expected.argmax(1) == labels) - 0.1


@pytest.mark.slow
def test_zero_padding_keeps_float32_around_binary_convolutions(trained_on_digits):
    model = small_resnet((32, 32, 3), 10, pad_values=0)
    model.set_weights(trained_on_digits.get_weights())
    images, _ = digits("test", 100)
    flatbuffer = convert(quantize(model, digits("train", 256)[0]))
    found = operators(flatbuffer)
    assert names(found).count("LceBconv2d") == 4
    assert all(outputs == ["FLOAT32"] for name, _, outputs in found if name == "LceBconv2d")
    kernels = [inputs for name, inputs, _ in found if name in ("CONV_2D", "FULLY_CONNECTED")]
    assert [inputs[:2] for inputs in kernels] == [["INT8", "INT8"]] * 2
    expected = model.predict(images, verbose=0).argmax(1)
    # int8 outputs of zero-padded convolutions would not run at all with two of the three.
    for options in BACKENDS.values():
        got = lce.testing.Interpreter(flatbuffer, **options).predict(images)
        # Only the first signs can turn: nearly all images keep their class, 95 to 98 %.
        assert np.mean(got.argmax(1) == expected) >= 0.85


@pytest.mark.slow
def test_baseline_is_int8_without_binary_convolutions(padded_with_ones):
    model, _ = padded_with_ones
    baseline = convert_int8_baseline(model, digits("train", 40)[0])
    found = operators(baseline)
    # Padding by channels TensorFlow's converter leaves in float32, and the sum behind it.
    assert set(in_float(found)) <= {"PAD", "ADD"}
    assert names(found).count("CONV_2D") == 5
    assert "PADV2" not in names(found)
    assert not {"LceBconv2d", "SIGN"} & set(names(found))


def binary(x, pad_values=1, **options):
    return lq.layers.QuantConv2D(
        32,
        3,
        padding="same",
        pad_values=pad_values,
        input_quantizer=StandardizedApproxSign(),
        kernel_quantizer=ReCU(),
        use_bias=False,
        **options,
    )(x)


def batch_norm(x, axis=-1):
    return L.BatchNormalization(
        axis,
        gamma_initializer=tf.keras.initializers.RandomUniform(0.5, 1.5),
        beta_initializer="random_normal",
        moving_mean_initializer="random_normal",
    )(x)


def mobile(x):
    """Depthwise, separable and grouped convolutions, ReLU6, concatenation and softmax."""
    x = L.ReLU(6)(batch_norm(L.Conv2D(16, 3, strides=2, padding="same")(x)))
    y = L.ReLU(6)(batch_norm(L.DepthwiseConv2D(3, padding="same")(x)))
    z = L.SeparableConv2D(16, 3, padding="same", activation="tanh")(x)
    x = L.Concatenate()([y, z, L.MaxPooling2D(3, 1, padding="same")(x)])
    x = L.Conv2D(16, 1, groups=2, activation="relu")(x)
    return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))


def gates(x):
    """PReLU, a gate, sums of three, a maximum, a batch norm alone, learned biases."""
    x = L.Conv2D(8, 3, padding="same")(x)
    x = L.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform")(x)
    gate = L.Dense(8, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    y = L.Multiply()([x, gate])
    x = HardTanh()(L.Add()([x, y, L.Conv2D(8, 1)(x)]))
    x = L.Maximum()([x, L.Conv2D(8, 1)(y)])
    x = LearnableBias()(batch_norm(L.AveragePooling2D()(x)))
    return L.Dense(5)(L.Flatten()(x))


def shared_and_nested(x):
    """A convolution used twice, and a model within the model."""
    shared = L.Conv2D(8, 3, padding="same", activation="relu")
    x = shared(L.Conv2D(8, 1)(x))
    y = shared(x)
    inner = tf.keras.Sequential([tf.keras.Input((8, 8, 8)), L.Conv2D(4, 3), L.LeakyReLU()])
    return L.Dense(5)(L.Flatten()(L.Add()([inner(x), inner(y)])))


@pytest.mark.parametrize(
    "body", [pytest.param(mobile, marks=pytest.mark.slow), gates, shared_and_nested]
)
def test_other_networks_become_int8_and_stay_right(body):
    inputs = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(inputs, body(inputs))
    images = np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype(np.float32)
    expected = model.predict(images, verbose=0)
    flatbuffer = convert(quantize(model, images))
    assert in_float(operators(flatbuffer)) == []
    got = lce.testing.Interpreter(flatbuffer).predict(images)
    # Each operator errs by half a level, 1/510 of its range; a dozen add up to a few percent.
    assert np.abs(got - expected).max() <= 0.1 * np.ptp(expected)
    assert np.abs(got - expected).mean() <= 0.02 * np.ptp(expected)


@pytest.mark.parametrize("units", [6, 7])  # as many as rows, and more
def test_kernels_before_a_batch_norm_on_another_axis_become_int8(units):
    image = tf.keras.Input((6, 6, 3))
    x = batch_norm(L.Conv2D(5, 3, padding="same")(image), axis=2)
    x = batch_norm(L.Dense(units)(x), axis=1)
    model = tf.keras.Model(image, L.Dense(3)(L.Flatten()(x)))
    images = np.random.default_rng(0).normal(size=(40, 6, 6, 3)).astype(np.float32)
    quantized = quantize(model, images)
    assert in_float(operators(convert(quantized))) == ["MUL", "ADD", "MUL", "ADD"]
    kernel = next(layer for layer in quantized.layers if isinstance(layer, L.Dense)).kernel.numpy()
    levels = kernel * 127 / np.abs(kernel).max()
    np.testing.assert_allclose(levels, np.rint(levels), rtol=0, atol=1e-4)  # float32, up to 127


def test_signs_between_binary_convolutions_stay_bit_packed():
    inputs = tf.keras.Input((8, 8, 3))
    x = batch_norm(L.Conv2D(32, 3, padding="same")(inputs))
    x = batch_norm(ChannelScale()(binary(x)))
    x = batch_norm(ChannelScale()(binary(x)))
    model = tf.keras.Model(inputs, L.Dense(5)(L.Flatten()(x)))
    images = np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype(np.float32)
    found = operators(convert(quantize(model, images)))
    outputs = [outputs for name, _, outputs in found if name == "LceBconv2d"]
    assert outputs == [["INT32"], ["INT8"]]
    assert names(found).count("LceQuantize") == 1


def test_activation_between_zero_padding_and_batch_norm_keeps_it_binary():
    inputs = tf.keras.Input((8, 8, 32))
    x = batch_norm(binary(inputs, pad_values=0, activation="relu"))
    model = tf.keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(x)))
    images = np.random.default_rng(0).normal(size=(64, 8, 8, 32)).astype(np.float32)
    flatbuffer = convert(quantize(model, images))
    found = operators(flatbuffer)
    assert audit(flatbuffer, model).passed
    assert next(i for name, i, _ in found if name == "FULLY_CONNECTED")[:2] == ["INT8", "INT8"]


def test_counts_before_a_batch_norm_that_is_kept_apart_stay_exact():
    image = tf.keras.Input((8, 8, 32))
    x = batch_norm(L.MaxPooling2D(1)(binary(image, activation="relu")))
    model = tf.keras.Model(image, L.Conv2D(4, 1)(x))
    images = np.random.default_rng(0).normal(size=(64, 8, 8, 32)).astype(np.float32)
    found = operators(convert(quantize(model, images)))
    # The batch norm is in float32 too; what reads it is int8.
    assert in_float(found) == ["MAX_POOL_2D", "MUL", "ADD"]
    assert next(i for name, i, _ in found if name == "CONV_2D")[:2] == ["INT8", "INT8"]


def test_ranges_are_those_of_the_images():
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 1)), L.ReLU(), L.Flatten(), L.Dense(2)])
    images = np.random.default_rng(0).uniform(-2, 3, (100, 4, 4, 1)).astype(np.float32)
    found = [layer for layer in quantize(model, images).layers if isinstance(layer, FakeQuant)]
    # Image, ReLU and Flatten with one range, logits.
    ranges = [(layer.minimum, layer.maximum) for layer in found]
    assert len(ranges) == 4
    assert ranges[0] == pytest.approx((-2, 3), abs=0.1)
    assert ranges[1] == ranges[2] == pytest.approx((0, 3), abs=0.1)
    logits = model.predict(images, verbose=0)
    # The kernel is rounded to 127 levels before.
    assert ranges[3] == pytest.approx((logits.min(), logits.max()), rel=1e-2)


def test_model_itself_is_left_as_it_was():
    inputs = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(inputs, mobile(inputs))
    weights = model.get_weights()
    again = quantize(model, np.ones((2, 8, 8, 3), np.float32))
    assert again.output_shape == model.output_shape
    assert not {id(weight) for weight in again.weights} & {id(weight) for weight in model.weights}
    assert_same_arrays(weights, model.get_weights())
    assert all(len(layer.inbound_nodes) == 1 for layer in model.layers)


class Subclassed(tf.keras.Model):
    def call(self, inputs):
        return inputs


def dense():
    return tf.keras.Sequential([tf.keras.Input((4,)), L.Dense(2)])


def subclass_within():
    inputs = tf.keras.Input((4,))
    return tf.keras.Model(inputs, Subclassed(name="inner")(inputs))


def two_inputs():
    inputs = [tf.keras.Input((4,), name=name) for name in "ab"]
    return tf.keras.Model(inputs, L.Dense(2)(L.Add()(inputs)))


def half_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    return dense()


def without_config():
    inputs = tf.keras.Input((4,))
    return tf.keras.Model(inputs, WithoutConfig(tf.abs)(inputs))


@pytest.mark.parametrize(
    ("make_model", "message"),
    [
        (lambda: "model.keras", "`model` must be a Keras model, got str"),
        (Subclassed, "`model` must be functional or sequential .* got Subclassed"),
        (subclass_within, "functional or sequential .* and so must `inner` in it, got Subclassed"),
        (lambda: tf.keras.Sequential([L.Dense(2)]), "with a known input shape, got Sequential"),
        (
            two_inputs,
            "must have one input, because int8 is calibrated on images alone, got 2: a, b",
        ),
        (half_precision, "`model` must be in float32, got mixed_float16"),
        (
            without_config,
            "layers that can be made from their configuration; `nameless`, WithoutConfig",
        ),
    ],
)
def test_models_that_cannot_be_quantized_are_refused(make_model, message):
    with pytest.raises(ValueError, match=message):
        quantize(make_model(), np.ones((3, 4), np.float32))


@pytest.mark.parametrize("convert_with", [quantize, convert_int8_baseline])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones((0, 4)), r"`images` must be one or more of shape \(4,\), got .* shape \(0, 4\)"),
        (np.ones((3, 5)), r"`images` must be one or more of shape \(4,\), got .* shape \(3, 5\)"),
        (np.ones(()), r"`images` must be one or more of shape \(4,\), got .* shape \(\)"),
        (np.full((3, 4), np.nan), "`images` must be finite, got infinity or NaN"),
    ],
)
def test_images_that_cannot_calibrate_are_refused(convert_with, images, message):
    with pytest.raises(ValueError, match=message):
        convert_with(dense(), images)
