import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_models import SIGNS
from rewritten import converted, images_for, rewritten, right

from export.conversion.rewriting.causal import PaddedInFront, count_front


def causal(filters=32, kernel=3, **options):
    options = {"bias_initializer": "normal", **SIGNS, **options}
    return lq.layers.QuantConv1D(filters, kernel, padding="causal", **options)


def behind(layer, shape=(9, 5)):
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input(shape)
    return tf.keras.Model(image, layer(image))


def test_zeros_in_front_are_those_of_causal_convolutions():
    assert count_front(causal(dilation_rate=2)) == 4
    assert count_front(lq.layers.QuantConv1D(4, 3, padding="same", **SIGNS)) == 0
    assert count_front(lq.layers.QuantDense(4, **SIGNS)) == 0


@pytest.mark.parametrize(
    ("options", "shape", "positions"),
    [
        ({}, (9, 5), 2),
        ({"dilation_rate": 3}, (9, 5), 6),
        ({"strides": 2, "kernel": 4}, (9, 5), 2),
        ({"kernel": 12, "activation": "relu"}, (9, 5), 9),
        ({"groups": 2, "use_bias": False}, (6, 64), 2),
    ],
)
def test_first_positions_alone_are_corrected(options, shape, positions):
    new, _ = rewritten(behind(causal(**options), shape))
    (layer,) = (layer for layer in new.layers if isinstance(layer, PaddedInFront))
    assert layer.added.shape == (positions, 32)


def test_convolution_of_one_position_needs_no_zeros():
    new, steps = rewritten(behind(causal(kernel=1)))
    assert steps
    assert not any(isinstance(layer, PaddedInFront) for layer in new.layers)


def test_file_of_a_long_sequence_holds_no_map_of_constants():
    model = behind(causal(8), (1000, 32))
    new, _ = rewritten(model)
    assert right(new, model)
    assert len(converted(new)) < 1000 * 8


def test_layer_can_be_copied():
    new, _ = rewritten(behind(causal()))
    copy = tf.keras.models.clone_model(new)
    copy.set_weights(new.get_weights())
    np.testing.assert_array_equal(copy(images_for(new)), new(images_for(new)))
