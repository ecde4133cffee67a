import re

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import export
from export.proof.shifted_windows import find_shifted_windows
from export.tflite.interpreter import run_all

K = tf.keras.layers


def pad(image, padding):
    """Pads height and width by a function, which no rewriting knows."""
    return tf.pad(image, [[0, 0], padding, padding, [0, 0]])


# Of each convolution its padding, window and stride.
CONVOLUTIONS = {
    "one pixel of four": ((0, 0), 1, 2),
    "no padding": ((0, 0), 3, 2),
    "stride of one": ((1, 1), 3, 1),
    "stride of two": ((1, 1), 3, 2),
    "stride of three": ((1, 1), 3, 3),
    "padding in front": ((1, 0), 3, 2),
    "padding behind": ((0, 1), 3, 2),
    "window of five": ((2, 2), 5, 2),
    "window of four": ((1, 1), 4, 2),
    "window of seven": ((3, 3), 7, 2),
}


@pytest.mark.parametrize(
    ("size", "shifted"),
    [
        (8, ["stride of two", "stride of three", "window of five", "window of seven"]),
        (9, ["stride of three"]),
    ],
)
def test_windows_are_shifted_exactly_where_the_outputs_differ(size, shifted):
    image = tf.keras.Input((size, size, 8))
    # Each reads another image, or the converter could pad once for several.
    outputs = [
        K.Conv2D(4, window, stride, name=name.replace(" ", "_"))(pad(image - number, padding))
        for number, (name, (padding, window, stride)) in enumerate(CONVOLUTIONS.items())
    ]
    model = tf.keras.Model(image, outputs)
    flatbuffer = export.convert(model)
    images = np.random.default_rng(0).normal(size=(2, size, size, 8)).astype("float32")
    outputs = zip(CONVOLUTIONS, run_all(flatbuffer, images), model(images), strict=True)
    wrong = [name for name, *pair in outputs if not np.allclose(*pair, rtol=0, atol=1e-4)]
    assert wrong == shifted
    found = find_shifted_windows(flatbuffer, model)
    assert {name.replace("_", " ") for name in found} == set(shifted)


class Inner(tf.keras.Model):
    def __init__(self, padding):
        super().__init__()
        self.padding, self.convolution = padding, K.Conv2D(4, 3, 2, name="inside_a_model")

    def call(self, images):
        return self.convolution(pad(images, self.padding))


class Function(K.Layer):
    def __init__(self, function, padding, **options):
        super().__init__(**options)
        self.function, self.padding = function, padding

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (3, 3, shape[-1], 1))

    def call(self, images):
        return self.function(pad(images, self.padding), self.kernel, [1, 2, 2, 1], "VALID")


def convolve_several_times(image, padding):
    """A convolution of each time, behind a reshaping."""
    x = K.Reshape((1, *image.shape[1:]))(image)
    x = K.TimeDistributed(K.ZeroPadding2D((padding, padding)))(x)
    return K.TimeDistributed(K.Conv2D(4, 3, strides=2, name="several_times"))(x)


def convolve_signs(image, padding):
    x = pad(lq.quantizers.SteSign()(image), padding)
    return lq.layers.QuantConv2D(8, 3, strides=2, kernel_quantizer="ste_sign", name="binary")(x)


# By the name that the found layer is reported with.
KINDS = {
    "float": lambda x, padding: K.Conv2D(4, 3, 2, name="float")(pad(x, padding)),
    "depthwise": lambda x, padding: K.DepthwiseConv2D(3, 2, name="depthwise")(pad(x, padding)),
    "separable": lambda x, padding: K.SeparableConv2D(4, 3, 2, name="separable")(pad(x, padding)),
    # Keras compiles it, so that it stands in a function.
    "groups": lambda x, padding: K.Conv2D(4, 3, 2, groups=2, name="groups")(pad(x, padding)),
    "several_times": convolve_several_times,
    "binary": convolve_signs,
    "inside_a_model": lambda x, padding: Inner(padding)(x),
    "function": lambda x, padding: Function(tf.nn.conv2d, padding, name="function")(x),
    "depthwise_function": lambda x, padding: Function(
        tf.nn.depthwise_conv2d, padding, name="depthwise_function"
    )(x),
    "tf.compat.v1.nn.conv2d": lambda x, padding: tf.nn.conv2d(
        pad(x, padding), tf.random.normal((3, 3, 32, 1)), 2, "VALID"
    ),
    "tf.compat.v1.nn.depthwise_conv2d": lambda x, padding: tf.nn.depthwise_conv2d(
        pad(x, padding), tf.random.normal((3, 3, 32, 1)), [1, 2, 2, 1], "VALID"
    ),
}


@pytest.mark.parametrize(
    ("padding", "odd", "shifted"),
    [((1, 1), 0, sorted(KINDS)), ((0, 1), 0, []), ((1, 1), 1, [])],
    ids=["shifted", "padded behind", "odd sizes"],
)
def test_every_kind_of_convolution_is_checked(padding, odd, shifted):
    # Each has a size of its own, by which it is found in the network's graph.
    sizes = range(4 + odd, 4 + odd + 2 * len(KINDS), 2)
    images = [tf.keras.Input((size, size, 32)) for size in sizes]
    convolutions = zip(KINDS.values(), images, strict=True)
    outputs = [convolve(image, padding) for convolve, image in convolutions]
    model = tf.keras.Model(images, outputs)
    found = find_shifted_windows(export.convert(model), model)
    # Keras numbers the layers that it makes of functions.
    assert sorted(re.sub(r"_\d+$", "", name) for name in found) == shifted


def test_dilated_convolutions_are_right():
    """TensorFlow makes a batch of parts of the image of them, and the converter one operator."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((8, 8, 8))
    outputs = [K.Conv2D(4, 3, dilation_rate=2)(pad(image, (2, 2)))]
    for layer in (K.DepthwiseConv2D, K.Conv2D):
        x = image
        for window, dilation in [(2, 3), (3, 3), ((3, 4), (1, 3)), (4, 3), (5, 2)]:
            filters = {} if layer is K.DepthwiseConv2D else {"filters": 8}
            x = layer(kernel_size=window, dilation_rate=dilation, padding="same", **filters)(x)
        outputs.append(x)
    model = tf.keras.Model(image, outputs)
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


def test_each_call_of_a_shared_convolution_is_checked():
    image, conv = tf.keras.Input((8, 8, 8)), K.Conv2D(4, 3, strides=2, name="conv")
    right = conv(K.ZeroPadding2D(((0, 1), (0, 1)))(image))
    for padding, shifted in ((1, ["conv"]), (((0, 2), (0, 2)), [])):
        other = conv(K.ZeroPadding2D(padding)(image))
        model = tf.keras.Model(image, K.Add()([right, other]))
        assert find_shifted_windows(export.convert(model), model) == shifted


def test_networks_without_convolutions_have_none():
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 1)), K.Flatten(), K.Dense(2)])
    assert find_shifted_windows(export.convert(model), model) == []
