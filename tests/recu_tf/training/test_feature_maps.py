import pytest
import tensorflow as tf

from recu_tf.training.feature_maps import check_maps, list_maps, with_maps

Conv2D = tf.keras.layers.Conv2D


def build(size=8):
    images = tf.keras.Input((size, size, 3))
    maps = Conv2D(4, 3, padding="same", name="first")(images)
    maps = Conv2D(5, 3, strides=2, padding="same", name="second")(maps)
    twice = Conv2D(5, 1, name="twice")
    maps = tf.keras.layers.GlobalAveragePooling2D(name="pool")(twice(twice(maps)))
    return tf.keras.Model(images, tf.keras.layers.Dense(2, name="head")(maps))


def test_maps_are_those_of_layers_that_are_called_once():
    maps = list_maps(build())
    assert {name: tuple(tensor.shape) for name, tensor in maps.items()} == {
        "first": (None, 8, 8, 4),
        "second": (None, 4, 4, 5),
    }


def test_network_without_maps_to_return_is_left_alone():
    network = build()
    assert with_maps(network, [], owner="network") is network
    images = tf.ones((2, 8, 8, 3))
    output, second, first = with_maps(network, ["second", "first"], owner="network")(images)
    tf.debugging.assert_equal(output, network(images))
    tf.debugging.assert_equal(first, network.get_layer("first")(images))
    tf.debugging.assert_equal(second, network.get_layer("second")(first))


def test_layers_without_a_map_are_refused():
    for name in ("head", "twice", "nowhere"):
        message = rf"layers of the teacher that give maps .*: first, second; got '{name}'"
        with pytest.raises(ValueError, match=message):
            with_maps(build(), [name], owner="teacher")
    dense = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"of the network .*: there are none; got 'dense'"):
        with_maps(dense, ["dense"], owner="network")


@pytest.mark.parametrize("size", [16, None])
def test_maps_of_different_sizes_are_refused(size):
    network, teacher = build(), build(size)
    check_maps([("first", "second")], network, teacher, (16, 16, 3))
    message = r"first of the network has 8x8, first of the teacher 16x16; .* with 8x8: second"
    with pytest.raises(ValueError, match=message):
        check_maps([("first", "first")], network, teacher, (16, 16, 3))
    with pytest.raises(ValueError, match="with 4x4: none"):
        check_maps([("second", "first")], network, teacher, (16, 16, 3))
