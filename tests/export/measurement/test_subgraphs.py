from collections import Counter

import pytest
import tensorflow as tf
from tiny_files import binary_file, binary_model, float_file

import export
from export.measurement.subgraphs import OTHER, count_multiply_accumulates, extract_subgraphs
from export.tflite import backends


def test_subgraphs_have_all_operators_and_multiply_accumulates_of_the_file():
    binary, other = extract_subgraphs(binary_file())
    assert binary.name == "binary convolutions of 1 to 32 channels"
    assert binary.operators == {"LceBconv2d": 1}
    assert binary.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 32
    assert "a pixel of these has one word" in binary.words
    assert other.name == OTHER
    assert other.multiply_accumulates == 8 * 8 * 32 * 3 * 3 * 3 + 16 * 3
    assert other.operators["CONV_2D"] == other.operators["FULLY_CONNECTED"] == 1
    whole = Counter(binary.operators) + Counter(other.operators)
    assert whole == export.audit(binary_file(), binary_model()).operators
    assert (
        binary.multiply_accumulates + other.multiply_accumulates
        == count_multiply_accumulates(binary_file())
        == count_multiply_accumulates(float_file())
    )


def test_subgraphs_are_files_that_run():
    for subgraph in extract_subgraphs(binary_file()):
        for backend in backends.BACKENDS:
            (output,) = backends.make_runner(subgraph.file, backend)()
            assert output.shape == ((1, 3) if subgraph.name == OTHER else (1, 8, 8, 16))
        assert extract_subgraphs(subgraph.file)[0].operators == subgraph.operators


def test_wide_and_grouped_convolutions_are_grouped_by_their_channels():
    wide, _ = extract_subgraphs(binary_file(96))
    grouped, _ = extract_subgraphs(binary_file(64, groups=2))
    assert (wide.name, wide.words) == ("binary convolutions of 65 to 128 channels", "")
    assert wide.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 96
    assert grouped.name == "binary convolutions of 33 to 64 channels"
    assert grouped.multiply_accumulates == 8 * 8 * 16 * 3 * 3 * 32


def test_depthwise_convolutions_count_one_channel():
    inputs = tf.keras.Input((8, 8, 6))
    model = tf.keras.Model(inputs, tf.keras.layers.DepthwiseConv2D(3)(inputs))
    flatbuffer = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert count_multiply_accumulates(flatbuffer) == 6 * 6 * 6 * 3 * 3
    (other,) = extract_subgraphs(flatbuffer)
    assert other.name == OTHER


def test_damaged_file_is_refused():
    with pytest.raises(ValueError, match="this one is damaged"):
        extract_subgraphs(b"0000TFL3" * 9)
