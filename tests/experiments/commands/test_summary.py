"""`recu summary`, of whatever has layers."""

import re

import larq as lq
import pytest
import tensorflow as tf
from conftest import shared

import export
from experiments import cli
from recu_tf import larq_summary
from recu_tf.quantizers import ReCU


def network():
    binary = {"input_quantizer": "standardized_approx_sign"}
    inner = tf.keras.Sequential(
        [
            tf.keras.Input((6, 6, 8)),
            lq.layers.QuantConv2D(16, 3, kernel_quantizer="recu", name="conv", **binary),
        ]
    )
    inputs = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Conv2D(8, 3, use_bias=False, name="float")(inputs)
    x = lq.layers.QuantSeparableConv2D(
        16, 3, depthwise_quantizer="recu", pointwise_quantizer="recu", name="both", **binary
    )(inner(x))
    x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(inputs, lq.layers.QuantDense(3, kernel_quantizer=ReCU(), name="dense")(x))


def test_temperatures_are_neither_weights_nor_multiplied():
    model = network()
    larq, ours = lq.models.ModelProfile(model), larq_summary.profile(model)
    assert larq.weight_count() - ours.weight_count() == 4
    assert larq.memory - ours.memory == 4 * 32
    assert ours.weight_count(1) == larq.weight_count(1) == 9 * 8 * 16 + 9 * 16 + 16 * 16 + 64 * 3
    assert ours.weight_count(32) == 27 * 8 + 16 + 16 + 3  # of the first layer, and biases
    assert ours.weight_count(trainable=False) == 0
    conv, both = 4 * 4, 2 * 2  # output pixels
    assert larq.op_count("mac") - ours.op_count("mac") == conv + 2 * both + 1
    assert ours.op_count("mac", 1) == conv * 9 * 8 * 16 + both * (9 * 16 + 16 * 16)
    # The dense layer has binary weights and activations that are not.
    assert ours.op_count("mac", 32) == 36 * 27 * 8 + 64 * 3


def test_report_looks_like_larq_s(capsys):
    model = tf.keras.Sequential([tf.keras.Input((4, 4, 2)), tf.keras.layers.Conv2D(3, 3)])
    lq.models.summary(model)
    expected = capsys.readouterr().out
    larq_summary.summary(model)
    assert capsys.readouterr().out == expected
    with pytest.raises(ValueError, match="`model` must be built, got 'sequential"):
        larq_summary.summary(tf.keras.Sequential([tf.keras.layers.Dense(1)]))


def total(printed):
    """Of the table: the numbers of 1-bit and of 32-bit weights."""
    row = next(line for line in printed.splitlines() if line.startswith("| Total "))
    return [int(word) for word in row.split()[2:4]]


@pytest.mark.parametrize("suffix", [".keras", ".h5", pytest.param("", marks=pytest.mark.slow)])
def test_files_are_reported_like_the_network(suffix, tmp_path, capsys):
    model = network()
    model.save(tmp_path / f"model{suffix}")
    capsys.readouterr()
    assert cli.main(["summary", str(tmp_path / f"model{suffix}")]) == 0
    printed = capsys.readouterr().out
    assert total(printed) == [9 * 8 * 16 + 9 * 16 + 16 * 16 + 64 * 3, 27 * 8 + 16 + 16 + 3]


@pytest.mark.slow
def test_published_checkpoint_and_name_are_the_same_network(capsys):
    checkpoint = str(shared("checkpoints", "resnet20_1w1a_cifar10.pth.tar"))
    assert cli.main(["summary", checkpoint]) == 0
    of_file = capsys.readouterr().out
    assert cli.main(["summary", "resnet20_1w1a"]) == 0
    assert total(of_file) == total(capsys.readouterr().out)
    assert total(of_file)[0] == 267264
    assert cli.main(["summary", checkpoint, "--model", "vgg_small_1w1a"]) == 2
    assert "vgg_small_1w1a for cifar10 but to resnet20_1w1a;" in capsys.readouterr().err


class Doubling(tf.keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("net.tflite", "", "net.tflite: "),
        ("net.tflite", "--which best", "`which` is for networks with layers, "),
        ("net.keras", "--which best", "`which` is for run directories, "),
        ("net.keras", "--model resnet20_1w1a", "`model` is for published checkpoints, "),
        ("net.keras", "--dataset cifar10", "`dataset` is for published checkpoints, "),
        ("net.png", "", "NETWORK must be a .tflite file, a run directory, a .keras file, a .h5 "),
        ("net.h5", "", "is damaged or no .h5 file"),
    ],
)
def test_what_has_no_report_is_refused_in_one_line(name, flags, message, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"nothing")
    assert cli.main(["summary", str(tmp_path / name), *flags.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_saved_model_without_layers_is_refused(tmp_path, capsys):
    inputs = tf.keras.Input((4,))
    tf.keras.Model(inputs, Doubling()(tf.keras.layers.Dense(2)(inputs))).save(tmp_path / "saved")
    capsys.readouterr()
    assert cli.main(["summary", str(tmp_path / "saved")]) == 2
    assert "holds a graph and no Keras layers to report on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--which last", "`which` is for run directories, resnet20_1w1a is a name."),
        (
            "--model vgg_small_1w1a",
            "is for published checkpoints, resnet20_1w1a is a name.",
        ),
    ],
)
def test_options_of_files_are_refused_for_names(flags, message, capsys):
    assert cli.main(["summary", "resnet20_1w1a", *flags.split()]) == 2
    assert message in capsys.readouterr().err


def test_operators_of_a_tflite_file_are_listed(tmp_path, capsys):
    inputs = tf.keras.Input((4,))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(2)(inputs))
    (tmp_path / "net.tflite").write_bytes(export.convert(model))
    assert cli.main(["summary", str(tmp_path / "net.tflite")]) == 0
    # Eight weights, each multiplied with once, in float32.
    assert re.search(r"FULLY_CONNECTED +float32 .* 32 +8\n", capsys.readouterr().out)
