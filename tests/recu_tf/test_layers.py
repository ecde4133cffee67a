import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close, shared
from layouts import keras_layout, nhwc

from recu_tf.layers import (
    BinaryConv2D,
    ChannelScale,
    HardTanh,
    LearnableBias,
    PadChannels,
    Rotate180,
    Subsample,
    binary_conv2d,
    hard_tanh,
)


@pytest.mark.parametrize("case", ["s1", "s2", "wide", "pointwise"])
def test_binary_convolution_matches_the_published_implementation(case):
    vectors = np.load(shared("reference", "convolutions.npz"))
    v = {name.split("/")[1]: vectors[name] for name in vectors.files if name.startswith(f"{case}/")}
    # Strided windows of PyTorch's padding are those of SAME on the image turned by 180 degrees.
    turn = slice(None, None, -1)
    image, upstream = (nhwc(v[name])[:, turn, turn] for name in ("input", "grad_out"))
    kernel = keras_layout(v["weight"])[turn, turn]
    filters, size = v["weight"].shape[0], v["weight"].shape[2]
    convolution = lq.layers.QuantConv2D(
        filters,
        size,
        strides=int(v["stride"]),
        padding="same" if v["padding"] else "valid",
        use_bias=False,
        input_quantizer="standardized_approx_sign",
        kernel_quantizer="recu",
    )
    scale = ChannelScale()
    image = tf.constant(image)
    scale(convolution(image))
    convolution.kernel.assign(kernel)
    convolution.kernel_quantizer.tau.assign(v["tau"])
    scale.alpha.assign(v["alpha"].ravel())
    with tf.GradientTape() as tape:
        tape.watch(image)
        output = scale(convolution(image))
    gradients = tape.gradient(output, [image, convolution.kernel, scale.alpha], upstream)
    assert_close(output, nhwc(v["output"])[:, turn, turn])
    assert_close(gradients[0], nhwc(v["grad_input"])[:, turn, turn])
    assert_close(gradients[1], keras_layout(v["grad_weight"])[turn, turn])
    assert_close(gradients[2], v["grad_alpha"].ravel())


def test_binary_conv2d_builds_quantized_convolution_and_scale():
    inputs = tf.keras.Input((8, 8, 4))
    model = tf.keras.Model(inputs, binary_conv2d(inputs, 6, strides=2, name="conv"))
    assert model.output_shape == (None, 4, 4, 6)
    assert [w.name for w in model.trainable_weights] == ["conv/kernel:0", "conv.alpha/alpha:0"]
    alpha = model.get_layer("conv.alpha").alpha
    assert alpha.shape == (6,)
    assert 0 <= np.min(alpha) <= np.max(alpha) < 1
    alpha.assign(tf.ones(6))
    output = model(tf.random.normal((2, 8, 8, 4))).numpy()
    # Sums of 36 signs, fewer at the edges where the padding adds zeros: whole numbers.
    np.testing.assert_array_equal(output, np.rint(output))


def test_hard_tanh_has_no_gradient_at_its_corners():
    x = tf.constant([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = hard_tanh(x)
    assert y.numpy().tolist() == [-1, -1, -0.5, 0, 0.5, 1, 1]
    assert tape.gradient(y, x).numpy().tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_channels_are_padded_on_both_sides():
    padded = PadChannels(1, 2)(tf.ones((1, 2, 2, 3)))
    assert padded[0, 0, 0].numpy().tolist() == [0, 1, 1, 1, 0, 0]


def test_whole_numbers_of_numpy_are_kept_as_python_has_them():
    config = {**PadChannels(np.int64(1), 2).get_config(), **Subsample(np.int64(2)).get_config()}
    assert type(config["before"]) is type(config["strides"]) is int


@pytest.mark.parametrize(("before", "after", "name"), [(-1, 0, "before"), (0, 1.5, "after")])
def test_impossible_padding_is_refused(before, after, name):
    with pytest.raises(ValueError, match=f"`{name}` must be a whole number from 0, got"):
        PadChannels(before, after)


@pytest.mark.parametrize("layer", [ChannelScale, LearnableBias])
def test_unknown_number_of_channels_is_refused(layer):
    with pytest.raises(ValueError, match="`inputs` must have a fixed number of channels"):
        layer()(tf.keras.Input((4, 4, None)))


def test_learned_bias_starts_at_zero_and_is_added_to_each_channel():
    layer = LearnableBias()
    images = tf.random.normal((2, 3, 3, 4))
    np.testing.assert_array_equal(layer(images), images)
    layer.bias.assign([1, 2, 3, 4])
    np.testing.assert_array_equal(layer(images), images + np.array([1, 2, 3, 4]))


def test_image_is_turned_by_180_degrees():
    image = np.arange(12, dtype="float32").reshape(1, 2, 3, 2)
    turned = np.rot90(image, 2, axes=(1, 2))
    np.testing.assert_array_equal(Rotate180()(image), turned)


@pytest.mark.parametrize("size", [(6, 6), (7, 7), (6, 7), (1, 2)])
@pytest.mark.parametrize("known", [True, False])
def test_subsampling_is_the_published_stride_turned(size, known):
    image = np.random.default_rng(0).normal(size=(1, *size, 2)).astype("float32")
    inputs = tf.keras.Input((*size, 2) if known else (None, None, 2))
    model = tf.keras.Model(inputs, Subsample(2)(inputs))
    # Published: every second pixel from the first, of the image that is not turned.
    expected = np.rot90(np.rot90(image, 2, axes=(1, 2))[:, ::2, ::2], 2, axes=(1, 2))
    np.testing.assert_array_equal(model(image), expected)


@pytest.mark.parametrize("strides", [0, 1.5, "2"])
def test_impossible_strides_are_refused(strides):
    with pytest.raises(ValueError, match="`strides` must be a whole number from 1, got"):
        Subsample(strides)


def test_padding_values_other_than_the_signs_zero_and_one_are_refused():
    with pytest.raises(ValueError, match=r"`pad_values` must be 0 or 1, got 0\.5"):
        binary_conv2d(tf.keras.Input((8, 8, 4)), 6, pad_values=0.5)


@pytest.mark.parametrize(
    ("precision", "pad_values"), [("float", 0), ("float", 1), ("binary_activations", 1)]
)
def test_convolution_of_another_precision_has_a_real_kernel(precision, pad_values):
    inputs = tf.keras.Input((5, 5, 4))
    options = {"precision": precision, "pad_values": pad_values}
    model = tf.keras.Model(inputs, binary_conv2d(inputs, 3, **options))
    kernel, alpha = model.get_weights()
    images = np.random.default_rng(0).normal(size=(2, 5, 5, 4)).astype(np.float32)
    is_float = precision == "float"
    frame = np.full((2, 7, 7, 4), 0 if is_float else pad_values, np.float32)
    frame[:, 1:-1, 1:-1] = images if is_float else np.sign(images)
    assert_close(model(images), tf.nn.conv2d(frame, kernel, 1, "VALID") * alpha)


@pytest.mark.parametrize("precision", ["float32", None, ["float"]])
def test_precision_other_than_the_three_is_refused(precision):
    message = "`precision` must be one of binary, binary_activations, float, got"
    with pytest.raises(ValueError, match=message):
        binary_conv2d(tf.keras.Input((8, 8, 4)), 6, precision=precision)


def test_binary_convolution_pads_with_ones_if_asked():
    image = -np.ones((1, 4, 4, 2), np.float32)
    inputs = tf.keras.Input((4, 4, 2))
    binary = {
        pad: tf.keras.Model(inputs, binary_conv2d(inputs, 3, pad_values=pad)) for pad in (0, 1)
    }
    for model in binary.values():
        model.layers[1].kernel.assign(binary[0].layers[1].get_weights()[0])
        model.layers[2].alpha.assign(tf.ones(3))
    kernel = binary[0].layers[1].get_weights()[0]
    frame = np.ones((1, 6, 6, 2), np.float32)
    frame[:, 1:-1, 1:-1] = 0
    added = tf.nn.conv2d(frame, np.sign(kernel - kernel.mean(axis=(0, 1, 2))), 1, "VALID")
    np.testing.assert_array_equal(binary[1](image), binary[0](image) + added)


@pytest.mark.parametrize("value", [1e-9, -1e-9])
def test_input_is_binarised_before_float16_sees_it(value):
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    layer = BinaryConv2D(2, 1, input_quantizer="standardized_approx_sign", use_bias=False)
    output = layer(tf.constant(value, tf.float32, (1, 2, 2, 3)))
    assert output.dtype == tf.float16
    kernel = layer.get_weights()[0].astype("float16").sum(axis=(0, 1, 2))
    np.testing.assert_allclose(output[0, 0, 0], np.sign(value) * kernel, rtol=1e-2)


@pytest.mark.parametrize("suffix", ["", ".keras", ".h5"])
def test_layers_survive_every_saving_format(suffix, tmp_path):
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            ChannelScale("ones"),
            PadChannels(1, 2),
            HardTanh(),
            LearnableBias(),
            Rotate180(),
            Subsample(2),
            BinaryConv2D(4, 3),
        ]
    )
    model.layers[0].alpha.assign([0.1, 0.2, 0.3])
    model.layers[3].bias.assign([1, 2, 3, 4, 5, 6])
    images = tf.random.normal((2, 8, 8, 3))
    model.save(str(tmp_path / f"model{suffix}"))
    loaded = tf.keras.models.load_model(str(tmp_path / f"model{suffix}"))
    np.testing.assert_array_equal(loaded(images), model(images))
    for got, expected in zip(loaded.layers, model.layers, strict=True):
        assert got.get_config() == expected.get_config()
