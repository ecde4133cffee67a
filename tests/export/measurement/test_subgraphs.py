from collections import Counter

import pytest
import tensorflow as tf
from tiny_files import binary_file, binary_model, float_file

import export
from export.measurement.subgraphs import OTHER, multiply_accumulates, parts
from export.tflite import backends


def test_parts_have_all_operators_and_multiply_accumulates_of_the_file():
    one, other = parts(binary_file())
    assert one.name == "binary convolutions of 1 to 32 channels"
    assert one.operators == {"LceBconv2d": 1}
    assert one.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 32
    assert "a pixel of these has one word" in one.words
    assert other.name == OTHER
    assert other.multiply_accumulates == 8 * 8 * 32 * 3 * 3 * 3 + 16 * 3
    assert other.operators["CONV_2D"] == other.operators["FULLY_CONNECTED"] == 1
    whole = Counter(one.operators) + Counter(other.operators)
    assert whole == export.audit(binary_file(), binary_model()).operators
    assert (
        one.multiply_accumulates + other.multiply_accumulates
        == multiply_accumulates(binary_file())
        == multiply_accumulates(float_file())
    )


def test_parts_are_files_that_run():
    for part in parts(binary_file()):
        for backend in backends.BACKENDS:
            (output,) = backends.runner(part.flatbuffer, backend)()
            assert output.shape == ((1, 3) if part.name == OTHER else (1, 8, 8, 16))
        assert parts(part.flatbuffer)[0].operators == part.operators


def test_wide_and_grouped_convolutions_are_told_apart():
    (wide, _), (grouped, _) = parts(binary_file(96)), parts(binary_file(64, groups=2))
    assert (wide.name, wide.words) == ("binary convolutions of 65 to 128 channels", "")
    assert wide.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 96
    assert grouped.name == "binary convolutions of 33 to 64 channels"
    assert grouped.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 32


def test_depthwise_convolutions_count_one_channel():
    inputs = tf.keras.Input((8, 8, 6))
    model = tf.keras.Model(inputs, tf.keras.layers.DepthwiseConv2D(3)(inputs))
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert multiply_accumulates(flatbuffer) == 6 * 6 * 6 * 3 * 3
    (other,) = parts(flatbuffer)
    assert other.name == OTHER


def test_damaged_file_is_refused():
    with pytest.raises(ValueError, match="this one is damaged"):
        parts(b"0000TFL3" * 9)
