import numpy as np
import pytest
import tensorflow as tf
from rewritten import binary, head, operators, pool_before_norm, rewritten, right, with_uneven_norms

L = tf.keras.layers


POOL = "normalise before max-pools"


def test_pool_behind_its_batch_norm_pools_bits_also_with_negative_factors():
    model = pool_before_norm()
    gamma = next(layer for layer in model.layers if isinstance(layer, L.BatchNormalization)).gamma
    assert np.min(gamma) < 0 < np.max(gamma)
    new, steps = rewritten(model)
    assert POOL in steps
    before, after = operators(model), operators(new)
    assert before["MAX_POOL_2D"] == before["MUL"] == before["ADD"] == 1
    assert after["LceBMaxPool2d"] == 1
    assert not {"MAX_POOL_2D", "MUL", "ADD"} & set(after)
    assert after["LceBconv2d"] == 2
    assert right(new, model)


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({"pad_values": 1}, False),  # a padding with ones would have to be turned over as well
        ({"pad_values": 1, "positive": True}, True),
        ({"padding": "valid"}, True),
        ({"also_read": "norm"}, False),
        ({"also_read": "norm", "positive": True}, True),
        ({"also_read": "pool"}, False),
        ({"norm": L.BatchNormalization(scale=False)}, True),
        ({"norm": L.BatchNormalization(axis=2)}, False),
    ],
)
def test_pools_change_places_only_where_nothing_else_changes(options, taken):
    assert (POOL in rewritten(pool_before_norm(**options))[1]) == taken


def test_pool_that_the_model_gives_out_stays():
    image = tf.keras.Input((8, 8, 32))
    x = L.BatchNormalization()(L.MaxPooling2D(2)(binary()(image)))
    assert POOL not in rewritten(with_uneven_norms(tf.keras.Model(image, x)))[1]


def test_channel_is_not_turned_over_through_a_layer_that_others_share():
    image = tf.keras.Input((8, 8, 32))
    same = L.Activation("linear")
    x = same(L.BatchNormalization()(L.MaxPooling2D(2)(image)))
    y = same(L.AveragePooling2D(2)(image))
    x = L.Add()([binary()(x), binary()(y)])
    assert POOL not in rewritten(with_uneven_norms(tf.keras.Model(image, head(x))))[1]
