"""Models with odd numbers, kernels or operators; the names say what is wrong or odd.

Paddings, inputs and outputs, and the structure of models have files of their own.
"""

import larq as lq
import numpy as np
import tensorflow as tf
from bad_parts import SHAPE, Apply, K, binary, classifier

from recu_tf.precision import use_precision


def _behind(layers):
    return classifier(lambda x: layers(binary("convolution")(x)), SHAPE)


def _between_sign_and_convolution(layer, **options):
    def layers(x):
        x = layer(Apply(lq.math.sign, name="sign")(x))
        return binary("convolution", input_quantizer=None, **options)(x)

    return classifier(layers, SHAPE)


def _with_kernel(change):
    model = classifier(binary("convolution", kernel_quantizer=lq.quantizers.NoOp(1)), SHAPE)
    kernel = np.random.default_rng(0).choice([-1.0, 1.0], (3, 3, 32, 32))
    change(kernel)
    model.get_layer("convolution").set_weights([kernel])
    return model


def scale_of_three_dimensions():
    return _behind(Apply(lambda x: x * tf.reshape(tf.range(1.0, 33), (1, 1, 32)), name="scale"))


def transpose_between_sign_and_convolution():
    turn = Apply(lambda x: tf.transpose(x, [0, 2, 1, 3]), name="turn")
    return _between_sign_and_convolution(turn)


def scale_between_sign_and_convolution():
    return _between_sign_and_convolution(Apply(lambda x: 3 * x, name="three"))


def filter_of_zeros():
    return _with_kernel(lambda kernel: kernel[..., 3].fill(0))


def kernel_of_zeros():
    return _with_kernel(lambda kernel: kernel.fill(0))


def filter_of_two_magnitudes():
    return _with_kernel(lambda kernel: kernel[0, 0, 0, 5:6].fill(2))


def ternary_kernel():
    return classifier(binary("convolution", kernel_quantizer="ste_tern"), SHAPE)


def kernel_with_nan():
    return _with_kernel(lambda kernel: kernel[0, 0, 0, 5:6].fill(np.nan))


def latent_kernel_with_nan():
    model = classifier(binary("convolution"), SHAPE)
    kernel = model.get_layer("convolution").get_weights()[0]
    kernel[0, 0, 0, 5] = np.nan
    model.get_layer("convolution").set_weights([kernel])
    return model


def float_kernel_with_nan():
    model = classifier(K.Conv2D(8, 3, name="stem"), (8, 8, 3))
    kernel, bias = model.get_layer("stem").get_weights()
    kernel[0, 0, 0, 5] = np.nan
    model.get_layer("stem").set_weights([kernel, bias])
    return model


def batch_norm_with_nan():
    model = _behind(K.BatchNormalization(name="norm"))
    model.get_layer("norm").moving_variance.assign(np.full(32, np.nan))
    return model


def nan_before_a_sign():
    """The sign of NaN is -1 here, as `NaN >= 0` is false, and the outputs are finite."""
    model = classifier(
        lambda x: binary("second")(K.BatchNormalization(name="norm")(binary("first")(x))), SHAPE
    )
    model.get_layer("norm").moving_variance.assign(np.full(32, np.nan))
    return model


def logits_that_overflow():
    return _behind(Apply(lambda x: tf.exp(100 * tf.abs(x) + 100), name="exponential"))


def grouped_with_16_channels():
    return classifier(binary("convolution", groups=2), SHAPE)


def bare_sign():
    return classifier(
        lambda x: binary("convolution", input_quantizer=None)(Apply(tf.sign, name="bare")(x)), SHAPE
    )


def binary_dense():
    def layers(x):
        dense = lq.layers.QuantDense(
            32, name="dense", input_quantizer="ste_sign", kernel_quantizer="ste_sign"
        )
        return dense(x)

    return classifier(layers, SHAPE)


def mixed_precision():
    with use_precision("mixed_bfloat16"):
        return _behind(K.BatchNormalization())


def double_precision():
    tf.keras.backend.set_floatx("float64")
    try:
        return _behind(K.BatchNormalization())
    finally:
        tf.keras.backend.set_floatx("float32")


def lambda_layer():
    return _behind(K.Lambda(lambda x: tf.minimum(x, 3.0), name="lambda"))


def noise_when_used():
    return _behind(Apply(lambda x: x + 100 * tf.random.normal(tf.shape(x)), name="noise"))


def dropout_when_used():
    drop = K.Dropout(0.5, name="dropout")
    return _behind(lambda x: drop(x, training=True))


def python_in_the_graph():
    def layers(x):
        return tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), [None, *SHAPE])

    return _behind(Apply(layers, name="python"))


def operator_that_tflite_lacks():
    return _behind(Apply(lambda x: tf.math.igamma(2.0, tf.abs(x)), name="igamma"))


def exact_gelu():
    return _behind(Apply(tf.nn.gelu, name="gelu"))


def untrained_batch_norms():
    """Sums of signs are often 0, and so is what the next sign reads."""
    inputs = tf.keras.Input(SHAPE)
    x = inputs
    for name in ("first", "second", "third"):
        x = binary(name, padding="same", pad_values=1.0)(x)
        x = K.BatchNormalization(name=f"{name}.norm")(x)
    return tf.keras.Model(inputs, K.Dense(10)(K.GlobalAveragePooling2D()(x)))


def untrained_batch_norms_with_negative_factors():
    model = untrained_batch_norms()
    for name in ("first", "second", "third"):
        model.get_layer(f"{name}.norm").gamma.assign(-np.ones(32))
    return model


def _with_factors(factors):
    model = untrained_batch_norms()
    norm = model.get_layer("first.norm")
    norm.gamma.assign(factors)
    norm.beta.assign(np.linspace(-1, 1, 32))
    return model


def batch_norm_factors_of_zero():
    return _with_factors(np.arange(32) % 2)


def outputs_that_images_do_not_change():
    return _with_factors(np.zeros(32))


def max_pool_before_negative_batch_norm_factors():
    def layers(x):
        x = K.MaxPool2D(name="pool")(binary("first")(x))
        return binary("second")(K.BatchNormalization(name="norm")(x))

    return classifier(layers, SHAPE)


def max_pool_before_batch_norm_of_rows():
    """A batch norm that is not of channels."""
    return classifier(
        lambda x: K.BatchNormalization(axis=1)(K.MaxPool2D()(binary("convolution")(x))), SHAPE
    )


def max_pool_before_negative_batch_norm_factors_and_a_sum():
    def layers(x):
        x = K.BatchNormalization()(K.MaxPool2D(name="pool")(binary("first")(x)))
        return K.Add()([x, binary("second")(x)])

    return classifier(layers, SHAPE)


def ends_in_softmax():
    model = _behind(K.BatchNormalization())
    return tf.keras.Model(model.inputs, K.Softmax()(model.outputs[0]))
