"""Models whose padding Larq Compute Engine's converter takes for another; names say what it is."""

import larq as lq
import tensorflow as tf
from bad_parts import K, binary, classifier

from recu_tf.quantizers import StandardizedApproxSign


def _float(kernel, size):
    def layers(x):
        x = K.ZeroPadding2D(kernel // 2, name="pad")(x)
        x = K.Conv2D(8, kernel, strides=2, name="convolution")(x)
        return K.ReLU(6)(K.BatchNormalization(name="norm")(x))

    return classifier(layers, (size, size, 3))


def _binary(kernel, size, strides=2):
    def layers(x):
        x = StandardizedApproxSign(name="sign")(x)
        x = K.ZeroPadding2D(kernel // 2, name="pad")(x)
        options = {"padding": "valid", "strides": strides, "input_quantizer": None}
        x = binary("convolution", kernel=kernel, **options)(x)
        return K.BatchNormalization(name="norm")(x)

    return classifier(layers, (size, size, 32))


def symmetric_before_strided_float_3x3():
    return _float(3, 16)


def symmetric_before_strided_float_5x5():
    return _float(5, 16)


def symmetric_before_strided_float_7x7():
    return _float(7, 16)


def symmetric_before_strided_float_7x7_on_odd_size():
    return _float(7, 15)


def symmetric_before_strided_binary_3x3():
    return _binary(3, 16)


def symmetric_before_strided_binary_5x5():
    return _binary(5, 16)


def symmetric_before_strided_binary_without_quantizer():
    def layers(x):
        x = K.ZeroPadding2D(1)(StandardizedApproxSign()(x))
        return lq.layers.QuantConv2D(
            32, 3, strides=2, kernel_quantizer="ste_sign", use_bias=False, name="convolution"
        )(x)

    return classifier(layers, (16, 16, 32))


def symmetric_before_strided_binary_7x7():
    return _binary(7, 16)


def symmetric_before_strided_binary_3x3_on_odd_size():
    return _binary(3, 15)


def symmetric_before_binary_with_one_stride():
    return _binary(3, 16, strides=(2, 1))


def wider_than_same_before_strided_float():
    def layers(x):
        return K.Conv2D(8, 3, strides=2)(K.ZeroPadding2D(2)(x))

    return classifier(layers, (16, 16, 3))


def symmetric_before_strided_depthwise():
    def layers(x):
        x = K.DepthwiseConv2D(3, strides=2, name="convolution")(K.ZeroPadding2D(1)(x))
        return K.ReLU()(K.BatchNormalization()(x))

    return classifier(layers, (16, 16, 8))


def symmetric_before_strided_binary_depthwise():
    def layers(x):
        x = K.ZeroPadding2D(1, name="pad")(lq.math.sign(x))
        return lq.layers.QuantDepthwiseConv2D(
            3,
            strides=2,
            name="depthwise",
            input_quantizer="ste_sign",
            depthwise_quantizer="ste_sign",
        )(x)

    return classifier(layers, (16, 16, 32))


def by_tf_pad_before_strided_float():
    def layers(x):
        x = tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]])
        return K.Conv2D(8, 7, strides=2, name="convolution")(x)

    return classifier(layers, (16, 16, 3))


def by_tf_pad_before_strided_binary():
    def layers(x):
        x = tf.pad(lq.math.sign(x), [[0, 0], [1, 1], [1, 1], [0, 0]])
        return binary("convolution", padding="valid", strides=2, input_quantizer=None)(x)

    return classifier(layers, (16, 16, 32))


def inside_nested_model():
    inner = tf.keras.Sequential(
        [
            tf.keras.Input((16, 16, 3)),
            K.ZeroPadding2D(1),
            K.Conv2D(8, 3, strides=2, name="convolution"),
        ],
        name="inner",
    )
    return classifier(inner, (16, 16, 3))


def before_nested_model():
    inner = tf.keras.Sequential(
        [tf.keras.Input((18, 18, 3)), K.Conv2D(8, 3, strides=2, name="convolution")], name="inner"
    )
    return classifier(lambda x: inner(K.ZeroPadding2D(1)(x)), (16, 16, 3))


def inside_subclassed_model():
    class Inner(tf.keras.Model):
        def __init__(self):
            super().__init__(name="inner")
            self.pad = K.ZeroPadding2D(1)
            self.convolution = K.Conv2D(8, 3, strides=2, name="strided")

        def call(self, inputs):
            return self.convolution(self.pad(inputs))

    return classifier(Inner(), (16, 16, 3))


def by_layers_of_another_model():
    layers = tf.keras.Sequential([K.ZeroPadding2D(1), K.Conv2D(8, 3, strides=2)]).layers

    def shared(x):
        for layer in layers:
            x = layer(x)
        return x

    classifier(shared, (24, 24, 3))
    return classifier(shared, (16, 16, 3))


def read_by_two_strided_convolutions():
    def layers(x):
        x = K.ZeroPadding2D(1)(x)
        branches = [K.Conv2D(8, 3, strides=2, name=name)(x) for name in ("one", "two")]
        return K.Add()(branches)

    return classifier(layers, (16, 16, 3))


def before_strided_convolution_called_twice():
    def layers(x):
        convolution = K.Conv2D(3, 3, strides=2, name="convolution")
        for number in (1, 2):
            x = convolution(K.ZeroPadding2D(1, name=f"pad{number}")(x))
        return x

    return classifier(layers, (16, 16, 3))


def before_strided_max_pool():
    return classifier(lambda x: K.MaxPool2D(3, 2)(K.ZeroPadding2D(1)(x)), (16, 16, 8))


def with_zeros_before_the_sign():
    """Zeros become 1: the sign of 0 is 1."""

    def layers(x):
        return binary("convolution", padding="valid", strides=2)(K.ZeroPadding2D(1)(x))

    return classifier(layers, (16, 16, 32))


def with_minus_one():
    return classifier(binary("convolution", pad_values=-1.0), (8, 8, 32))


def _small_numbers(factor):
    """A strided convolution of small numbers whose padding is not rewritten."""
    inputs = tf.keras.Input((16, 16, 3))
    x = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
    initializer = tf.keras.initializers.RandomNormal(stddev=1e-5)
    x = K.Conv2D(8, 3, strides=2, kernel_initializer=initializer, name="convolution")(x)
    return tf.keras.Model(inputs, K.Rescaling(factor, name="rescaling")(x))


def by_tf_pad_before_small_outputs():
    return _small_numbers(2)


def by_tf_pad_before_small_numbers_that_become_large():
    return _small_numbers(1e6)
