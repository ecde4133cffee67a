import larq as lq
import pytest
import tensorflow as tf
from rewritten import (
    binary,
    hard_tanh_between_norm_and_signs,
    head,
    rewritten,
    right,
    with_uneven_norms,
)

import export
from export.conversion.rewriting.hard_tanh import drop_hard_tanh, reads_sign_only
from export.keras_graph.graph import read_graph
from recu_tf.layers import HardTanh

L = tf.keras.layers


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("activation", [lambda: L.Activation("hard_tanh"), HardTanh])
def test_hard_tanh_before_signs_is_dropped(readers, activation):
    model = hard_tanh_between_norm_and_signs(readers, activation=activation())
    assert "drop hard tanh before a sign" in rewritten(model)[1]


@pytest.mark.slow
def test_file_without_hard_tanh_lacks_its_operator_and_packs_bits():
    image = tf.keras.Input((8, 8, 32))
    x = HardTanh()(L.BatchNormalization()(binary(pad_values=1)(image)))
    model = with_uneven_norms(tf.keras.Model(image, head(binary(pad_values=1)(x))))
    new, _ = rewritten(model)
    before, after = (export.audit(export.convert(network), model) for network in (model, new))
    assert before.operators["RELU_N1_TO_1"] == 1
    assert "RELU_N1_TO_1" not in after.operators
    # The first convolution gives the second one its bits.
    assert (before.operators["LceQuantize"], after.operators["LceQuantize"]) == (2, 1)
    assert right(new, model)


def test_hard_tanh_whose_value_others_read_stays():
    _, steps = rewritten(hard_tanh_between_norm_and_signs(also_read=True))
    assert "drop hard tanh before a sign" not in steps


def test_hard_tanh_that_is_called_twice_stays():
    image = tf.keras.Input((8, 8, 32))
    clip = L.Activation("hard_tanh")
    x = clip(binary()(clip(image)))
    _, steps = rewritten(tf.keras.Model(image, head(x)))
    assert "drop hard tanh before a sign" not in steps


def test_other_activations_are_no_hard_tanh():
    image = tf.keras.Input((8, 8, 32))
    for name in ("relu", "tanh", "linear"):
        model = tf.keras.Model(image, head(binary()(L.Activation(name)(image))))
        assert drop_hard_tanh(read_graph(model)) == []


@pytest.mark.parametrize("quantizer", ["ste_sign", "approx_sign", "swish_sign"])
def test_what_reads_signs_only_is_found_by_trying(quantizer):
    assert reads_sign_only(binary(input_quantizer=quantizer))
    assert reads_sign_only(lq.quantizers.SteSign())


def test_what_reads_more_than_signs_is_found_by_trying():
    for quantizer in ("ste_tern", "dorefa_quantizer", "ste_heaviside", None):
        assert not reads_sign_only(binary(input_quantizer=quantizer))
    assert not reads_sign_only(L.ReLU())
    assert not reads_sign_only(None)
    assert not reads_sign_only(binary(input_quantizer=lambda x: tf.sign(x)))
