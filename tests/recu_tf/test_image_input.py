import pytest
import tensorflow as tf

from export.conversion.serving import require_image_input
from recu_tf.image_input import find_image_input, find_image_inputs


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ([(None, 8, 8, 3)], [0]),
        ([(None, 5), (None, 8, 8, 1)], [1]),
        # A map of features beside an image.
        ([(None, 4, 4, 64), (None, 8, 8, 3)], [1]),
        ([(None, 8, 8, 3), (None, 8, 8, 1)], [0, 1]),
        # Of several bands, as a satellite takes it.
        ([(None, 5), (None, 8, 8, 12)], [1]),
        ([(None, 5), (None, 8, 8)], []),
        ([(None, None, None, None)], [0]),
    ],
)
def test_images_have_four_dimensions_and_the_channels_of_photographs_first(shapes, found):
    assert find_image_inputs(shapes, ["float32"] * len(shapes)) == found


def test_whole_numbers_but_pixels_are_no_images():
    shapes = [(None, 8, 8, 3)] * 3
    assert find_image_inputs(shapes, ["int32", "uint8", "float16"]) == [1, 2]


def network(*shapes):
    inputs = [tf.keras.Input(shape) for shape in shapes]
    flat = [tf.keras.layers.Flatten()(tensor) for tensor in inputs]
    return tf.keras.Model(inputs, tf.keras.layers.Concatenate()([*flat, *flat]))


def test_first_input_that_may_take_images_counts():
    assert find_image_input(network((5,), (4, 4, 64), (8, 8, 3))) == 2
    assert find_image_input(network((5,), (7,))) is None


def test_pixels_are_refused_where_it_is_not_clear_which_input_takes_them():
    assert require_image_input(network((5,), (8, 8, 3), (4, 4, 64))) == 1
    match = r"`input` uint8 is for networks with one input .*, got {} among \(None, "
    with pytest.raises(ValueError, match=match.format(2)):
        require_image_input(network((8, 8, 3), (8, 8, 1)))
    with pytest.raises(ValueError, match=match.format(0)):
        require_image_input(network((5,), (7,)))
