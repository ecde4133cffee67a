import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import export
from export.proof.operators import count_macs
from export.tflite.file import Operator, Tensor

K = tf.keras.layers
SIGNS = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False}


def rows_of(*layers, shape):
    x = inputs = tf.keras.Input(shape)
    for layer in layers:
        x = layer(x)
    audited = export.audit(export.convert(tf.keras.Model(inputs, x)))
    return {row.operator: row for row in audited.rows}


def test_multiply_accumulates_are_counted_from_shapes():
    rows = rows_of(
        K.Conv2D(6, (3, 2), strides=2, padding="same", groups=3),
        K.DepthwiseConv2D(3, depth_multiplier=2),
        K.Conv2DTranspose(4, (2, 3), strides=2),
        K.Flatten(),
        K.Dense(7),
        shape=(12, 11, 3),
    )
    macs = {name: row.float_macs for name, row in rows.items() if row.float_macs}
    assert macs == {
        "CONV_2D": 6 * 6 * 6 * (3 * 2 * 1),
        "DEPTHWISE_CONV_2D": 4 * 4 * 12 * (3 * 3),
        # Each of the 4 x 4 positions it reads goes into a window of 2 x 3.
        "TRANSPOSE_CONV": 4 * 4 * 12 * (2 * 3 * 4),
        "FULLY_CONNECTED": 8 * 9 * 4 * 7,
    }
    assert not any(row.binary_macs for row in rows.values())


@pytest.mark.parametrize(
    ("name", "shapes", "expected"),
    [
        ("CONV_2D", [(-1, 5, 5, 4), (8, 3, 3, 4)], 10 * 10 * 8 * 3 * 3 * 4),
        ("TRANSPOSE_CONV", [(4,), (8, 3, 3, 4), (-1, 5, 5, 4)], 5 * 5 * 4 * 3 * 3 * 8),
        ("LceBconv2d", [(-1, 10, 10, 1), (8, 3, 3, 1)], 10 * 10 * 8 * 3 * 3 * 32),
    ],
)
def test_an_open_batch_counts_as_a_single_image(name, shapes, expected):
    output, *inputs = (
        Tensor(0, number, "", shape, "FLOAT32", number, None, False)
        for number, shape in enumerate([(-1, 10, 10, 8), *shapes])
    )
    assert count_macs(Operator(0, name, tuple(inputs), (output,), {"channels_in": 32})) == expected


def test_binary_convolution_is_described():
    row = rows_of(
        lq.layers.QuantConv2D(24, 3, strides=2, padding="same", groups=2, **SIGNS),
        shape=(8, 6, 64),
    )["LceBconv2d"]
    assert (row.kind, row.padding, row.strides, row.fused) == ("binary", "SAME", (2, 2), ())
    assert (row.packed_input, row.packed_output) == (True, False)
    assert row.binary_macs == 4 * 3 * 24 * (3 * 3 * 32)
    assert row.float_macs == 0
    # A bit for each weight, and two numbers for each filter.
    assert row.constant_bytes == 24 * 3 * 3 * 32 // 8 + 2 * 24 * 4


def test_what_was_fused_is_named():
    norm = K.BatchNormalization(beta_initializer="ones")
    scale = lambda x: x * tf.range(1.0, 9.0)  # noqa: E731
    fused = {
        ("scale",): [K.Lambda(scale)],
        ("scale", "bias"): [norm],
        ("bias",): [K.Lambda(lambda x: x + 1.0)],
        ("sign",): [lq.layers.QuantConv2D(8, 3, **SIGNS)],
        (): [K.LeakyReLU()],
    }
    for expected, layers in fused.items():
        x = inputs = tf.keras.Input((8, 8, 32))
        for layer in [lq.layers.QuantConv2D(8, 3, **SIGNS), *layers]:
            x = layer(x)
        rows = export.audit(export.convert(tf.keras.Model(inputs, x))).rows
        first = next(row for row in rows if row.operator == "LceBconv2d")
        assert first.fused == expected
        assert first.packed_output == (expected == ("sign",))
    assert rows_of(K.Conv2D(2, 1, activation="relu6"), shape=(4, 4, 3))["CONV_2D"].fused == (
        "relu6",
    )


def test_a_constant_of_two_operators_counts_once():
    layer = lq.layers.QuantConv2D(32, 3, padding="same", **SIGNS)
    x = inputs = tf.keras.Input((8, 8, 32))
    x = layer(K.ReLU()(layer(x)))
    content = export.convert(tf.keras.Model(inputs, x))
    audited = export.audit(content)
    first, second = (row for row in audited.rows if row.operator == "LceBconv2d")
    assert first.constant_bytes == 32 * 3 * 3 * 32 // 8 + 2 * 32 * 4
    assert second.constant_bytes == 0
    assert audited.constant_bytes < len(content)


def test_int8_and_float32_are_told_apart():
    def fake(x, most):
        return tf.quantization.fake_quant_with_min_max_args(x, -most, most)

    class FakeQuantConv2D(K.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, fake(kernel, 1))

    rows = rows_of(
        K.Lambda(lambda x: fake(x, 3)),
        FakeQuantConv2D(4, 3, kernel_initializer=tf.keras.initializers.RandomUniform(-1, 1)),
        K.Lambda(lambda x: fake(x, 9)),
        K.Softmax(),
        shape=(8, 8, 3),
    )
    assert rows["CONV_2D"].kind == "int8"
    assert rows["CONV_2D"].constant_bytes == 4 * 3 * 3 * 3 + 4 * np.dtype(np.int32).itemsize
    assert rows["QUANTIZE"].kind == "int8"
    assert rows_of(K.Softmax(), shape=(8,))["SOFTMAX"].kind == "float32"


def test_pixels_are_whole_numbers_and_no_int8():
    pixels = tf.keras.Input((8, 8, 3), dtype=tf.uint8)
    x = K.Lambda(lambda x: tf.cast(x, tf.float32))(pixels)
    model = tf.keras.Model(pixels, K.Softmax()(x))
    rows = export.audit(export.convert(model)).rows
    assert [(row.operator, row.kind) for row in rows] == [
        ("CAST", "float32"),
        ("SOFTMAX", "float32"),
    ]
