import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import export
from export.proof.shifted_windows import find_shifted_windows
from export.tflite.interpreter import run

K = tf.keras.layers


def padded(size, padding, window, stride, layer=K.Conv2D, dilation=1):
    """A convolution on images padded by a function, which no rewriting knows."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((size, size, 8))
    x = tf.pad(image, [[0, 0], padding, padding, [0, 0]])
    filters = {} if layer is K.DepthwiseConv2D else {"filters": 4}
    options = {"strides": stride, "dilation_rate": dilation, "name": "conv", **filters}
    return tf.keras.Model(image, layer(kernel_size=window, **options)(x))


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(
    ("padding", "window", "stride"),
    [
        ((0, 0), 1, 2),
        ((0, 0), 3, 2),
        ((1, 1), 3, 1),
        ((1, 1), 3, 2),
        ((1, 1), 3, 3),
        ((1, 0), 3, 2),
        ((0, 1), 3, 2),
        ((2, 2), 5, 2),
        ((1, 1), 4, 2),
        ((3, 3), 7, 2),
    ],
)
def test_windows_are_shifted_exactly_where_the_outputs_differ(size, padding, window, stride):
    model = padded(size, padding, window, stride)
    flatbuffer = export.convert(model)
    images = np.random.default_rng(0).normal(size=(2, size, size, 8)).astype("float32")
    expected = model(images).numpy()
    right = np.allclose(run(flatbuffer, images), expected, rtol=0, atol=1e-4)
    assert find_shifted_windows(flatbuffer, model) == ([] if right else ["conv"])


@pytest.mark.parametrize("layer", [K.DepthwiseConv2D, K.SeparableConv2D])
def test_every_kind_of_convolution_is_checked(layer):
    shifted, right = (padded(size, (1, 1), 3, 2, layer) for size in (8, 9))
    assert find_shifted_windows(export.convert(shifted), shifted) == ["conv"]
    assert find_shifted_windows(export.convert(right), right) == []


def test_convolutions_that_keras_compiles_or_reshapes_for_are_checked():
    """Those in groups stand in a function, those of several times behind a reshaping."""
    image = tf.keras.Input((8, 8, 8))
    x = K.Conv2D(4, 3, strides=2, groups=2, name="conv")(
        tf.pad(image, [[0, 0], *[[1, 1]] * 2, [0, 0]])
    )
    model = tf.keras.Model(image, x)
    assert find_shifted_windows(export.convert(model), model) == ["conv"]
    x = K.TimeDistributed(K.ZeroPadding2D(1))(K.Reshape((1, 8, 8, 8))(image))
    times = K.TimeDistributed(K.Conv2D(4, 3, strides=2, name="conv"))
    model = tf.keras.Model(image, times(x))
    assert find_shifted_windows(export.convert(model), model) == ["conv"]


def test_dilation_widens_the_window():
    model = padded(8, (2, 2), 3, 1, dilation=2)
    assert find_shifted_windows(export.convert(model), model) == []


@pytest.mark.parametrize("layer", [K.DepthwiseConv2D, K.Conv2D])
def test_dilated_convolution_that_pads_itself_is_right(layer):
    """TensorFlow makes a batch of parts of the image of it, and the converter one operator."""
    tf.keras.utils.set_random_seed(0)
    image = x = tf.keras.Input((8, 8, 8))
    for window, dilation in [(2, 3), (3, 3), ((3, 4), (1, 3)), (4, 3), (5, 2)]:
        filters = {} if layer is K.DepthwiseConv2D else {"filters": 8}
        x = layer(kernel_size=window, dilation_rate=dilation, padding="same", **filters)(x)
    model = tf.keras.Model(image, x)
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 8)).astype("float32")
    verification = export.verify(export.convert(model), model, images)
    assert verification.shifted == ()
    assert verification.passed


def test_layer_that_pads_itself_and_one_called_twice_are_right():
    image = tf.keras.Input((8, 8, 8))
    conv = K.Conv2D(8, 3, strides=2, name="conv")
    once = conv(K.ZeroPadding2D(((1, 0), (1, 0)))(image))
    x = K.Add()([once, K.Conv2D(8, 3, strides=2, padding="same")(image)])
    x = conv(K.ZeroPadding2D(((1, 0), (1, 0)))(x))
    model = tf.keras.Model(image, K.Flatten()(x))
    assert find_shifted_windows(export.convert(model), model) == []


def test_windows_of_binary_convolutions_are_checked():
    image = tf.keras.Input((8, 8, 32))
    x = tf.pad(lq.quantizers.SteSign()(image), [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = lq.layers.QuantConv2D(8, 3, strides=2, kernel_quantizer="ste_sign", name="conv")(x)
    model = tf.keras.Model(image, x)
    assert find_shifted_windows(export.convert(model), model) == ["conv"]


class Inner(tf.keras.Model):
    def __init__(self, padding):
        super().__init__()
        self.padding, self.convolution = padding, K.Conv2D(4, 3, strides=2, name="conv")

    def call(self, images):
        return self.convolution(tf.pad(images, [[0, 0], self.padding, self.padding, [0, 0]]))


@pytest.mark.parametrize(("padding", "shifted"), [((1, 1), ["conv"]), ((0, 1), [])])
def test_windows_inside_a_subclassed_model_are_checked(padding, shifted):
    image, inner = tf.keras.Input((8, 8, 8)), Inner(padding)
    model = tf.keras.Model(image, inner(image))
    assert find_shifted_windows(export.convert(model), model) == shifted


def test_each_call_of_a_shared_convolution_is_checked():
    image, conv = tf.keras.Input((8, 8, 8)), K.Conv2D(4, 3, strides=2, name="conv")
    right = conv(K.ZeroPadding2D(((0, 1), (0, 1)))(image))
    for padding, shifted in ((1, ["conv"]), (((0, 2), (0, 2)), [])):
        other = conv(K.ZeroPadding2D(padding)(image))
        model = tf.keras.Model(image, K.Add()([right, other]))
        assert find_shifted_windows(export.convert(model), model) == shifted


class Function(K.Layer):
    def __init__(self, function, padding, **options):
        super().__init__(**options)
        self.function, self.padding = function, [[0, 0], padding, padding, [0, 0]]

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (3, 3, shape[-1], 1))

    def call(self, images):
        return self.function(tf.pad(images, self.padding), self.kernel, [1, 2, 2, 1], "VALID")


@pytest.mark.parametrize("function", [tf.nn.conv2d, tf.nn.depthwise_conv2d])
@pytest.mark.parametrize(("padding", "shifted"), [((1, 1), ["own"]), ((0, 1), [])])
def test_windows_of_functions_of_tensorflow_are_checked(function, padding, shifted):
    image = tf.keras.Input((8, 8, 8))
    x = K.Conv2D(1, 3, strides=2, padding="same")(image)
    model = tf.keras.Model(image, Function(function, padding, name="own")(image) + x)
    assert find_shifted_windows(export.convert(model), model) == shifted
    kernel = tf.random.normal((3, 3, 8, 1))
    x = function(tf.pad(image, [[0, 0], padding, padding, [0, 0]]), kernel, [1, 2, 2, 1], "VALID")
    model = tf.keras.Model(image, x)
    assert bool(find_shifted_windows(export.convert(model), model)) == bool(shifted)


def test_networks_without_convolutions_have_none():
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 1)), K.Flatten(), K.Dense(2)])
    assert find_shifted_windows(export.convert(model), model) == []
