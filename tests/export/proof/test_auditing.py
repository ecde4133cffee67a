import dataclasses
import json

import larq as lq
import pytest
import tensorflow as tf
from conftest import small_resnet

import export
from recu_tf.quantizers import ReCU, StandardizedApproxSign

K = tf.keras.layers


@pytest.fixture(scope="module")
def network():
    tf.keras.utils.set_random_seed(0)
    model = small_resnet((32, 32, 3), 10)
    return model, export.convert(model)


def test_every_operator_has_its_layer(network):
    model, content = network
    audited = export.audit(content, model)
    assert audited.passed
    assert audited.lost == {}
    names = [f"layer{stage}.0.conv{number}" for stage in (1, 2) for number in (1, 2)]
    assert audited.expected == tuple(names)
    assert [row.layer for row in audited.rows if row.operator == "LceBconv2d"] == names
    assert [row.layer for row in audited.rows if row.operator == "CONV_2D"] == ["conv1"]
    assert audited.operators["LceBconv2d"] == audited.binary == 4
    assert sum(audited.operators.values()) == len(audited.rows)


def test_totals_are_the_sums_of_the_rows(network):
    model, content = network
    audited = export.audit(content, model)
    # The stages have 8 and 16 channels, on 32 x 32 and 16 x 16 positions.
    assert audited.binary_macs == 9 * (2 * 32**2 * 8 * 8 + 16**2 * (8 * 16 + 16 * 16))
    assert audited.float_macs == 32**2 * 8 * 9 * 3 + 16 * 10
    assert 0 < audited.constant_bytes < len(content)


def test_table_is_aligned_and_fits_a_screen(network):
    model, content = network
    text = str(export.audit(content, model))
    lines = text.splitlines()
    rows = export.audit(content, model).rows
    assert set(lines[1]) == {"-", " "}
    table = [lines[0], *lines[2 : 2 + len(rows)]]
    assert lines[2 + len(rows)].startswith(f"{len(rows)} operators, ")
    assert max(map(len, table)) <= 118
    for name in ("operator", "kind"):
        column = table[0].index(name)
        assert all(line[column - 1] == " " != line[column] for line in table)
    assert lines[-1] == "Binary convolutions: 4 of 4"


def test_long_names_are_cut_in_front():
    inputs = tf.keras.Input((4, 4, 3))
    name = "a_layer_of_" + "very_" * 30 + "long_name"
    model = tf.keras.Model(inputs, K.Conv2D(2, 3, name=name)(inputs))
    row = str(export.audit(export.convert(model), model)).splitlines()[2]
    assert row.startswith("~")
    assert "very_long_name  CONV_2D" in row
    assert len(row) == 118


def test_audit_is_json(network):
    model, content = network
    audited = export.audit(content, model)
    read = json.loads(json.dumps(audited.as_dict()))
    assert read["passed"] is True
    assert read["binary"] == 4
    assert read["expected"] == list(audited.expected)
    assert read["float_macs"] == sum(row["float_macs"] for row in read["rows"])
    assert read["rows"][0]["operator"] == audited.rows[0].operator


def test_without_a_model_nothing_is_expected(network):
    model, content = network
    audited = export.audit(content)
    assert (audited.expected, audited.lost, audited.binary) == ((), {}, 4)
    assert audited.passed
    assert audited.operators == export.audit(content, model).operators
    assert str(audited).endswith("Binary convolutions: 4")


def test_lost_binary_convolution_is_named_with_the_reason():
    inputs = tf.keras.Input((8, 8, 32))
    x = lq.layers.QuantConv2D(
        32, 3, kernel_quantizer=ReCU(), input_quantizer=StandardizedApproxSign(), name="good"
    )(inputs)
    # A quantizer whose sign the converter does not recognise.
    bare_sign = lq.quantizers.NoOp(precision=1)
    x = K.Lambda(tf.sign)(x)
    x = lq.layers.QuantConv2D(
        32, 3, kernel_quantizer=ReCU(), input_quantizer=bare_sign, name="lost"
    )(x)
    model = tf.keras.Model(inputs, x)
    audited = export.audit(export.convert(model), model)
    assert not audited.passed
    assert list(audited.lost) == ["lost"]
    assert "Binary convolutions: 1 of 2" in str(audited)
    assert "Not binary: lost\n  lost: its input comes from a bare tf.sign of layer" in str(audited)


def test_a_reason_of_several_layers_is_printed_once():
    x = inputs = tf.keras.Input((8, 8, 32))
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    for number in range(3):
        x = lq.layers.QuantConv2D(32, 3, padding="same", **signs, name=f"conv{number}")(x)
    model = tf.keras.Model(inputs, x)
    # Padded with zeros, of which the target has no binary convolution.
    audited = export.audit(export.convert(model, target="xcore"), model, target="xcore")
    reason = audited.lost["conv0"]
    assert audited.lost == dict.fromkeys(("conv0", "conv1", "conv2"), reason)
    text = str(audited)
    assert text.count(reason) == 1
    assert text.endswith(f"Not binary: conv0, conv1, conv2\n  each: {reason}")
    mixed = dataclasses.replace(audited, lost={**audited.lost, "conv1": "another reason."})
    assert str(mixed).endswith(f"\n  conv0, conv2: {reason}\n  conv1: another reason.")


def test_one_call_of_two_that_is_not_binary_loses_the_layer():
    inputs = tf.keras.Input((8, 8, 32))
    layer = lq.layers.QuantConv2D(
        32,
        3,
        padding="same",
        input_quantizer=lq.quantizers.NoOp(precision=1),
        kernel_quantizer="ste_sign",
        name="twice",
    )
    signs = lq.quantizers.SteSign()
    x = layer(signs(inputs))
    x = layer(K.MaxPool2D(name="pool")(signs(x)))
    model = tf.keras.Model(inputs, x)
    audited = export.audit(export.convert(model), model)
    assert audited.binary == 1
    assert list(audited.lost) == ["twice"]
    assert "stands MAX_POOL_2D of layer 'pool'" in audited.lost["twice"]


def test_bytes_that_are_no_tflite_file_are_refused(network):
    with pytest.raises(ValueError, match="`flatbuffer` must be a TFLite file"):
        export.audit(b"PK\3\4 something else", network[0])
