import pytest
import tensorflow as tf
from tiny_files import binary_model

from export import kernels
from export.parts import multiply_accumulates
from export.twins import twins


def test_twins_do_the_same_work_in_float_and_in_int8():
    made = twins(binary_model())
    assert list(made) == ["float32", "int8"]
    assert multiply_accumulates(made["float32"]) == multiply_accumulates(made["int8"])
    kinds = {}
    for name, flatbuffer in made.items():
        assert not kernels.has_binary_operators(flatbuffer)
        details = kernels.tensorflow_lite(flatbuffer).get_tensor_details()
        kinds[name] = {one["dtype"].__name__ for one in details if len(one["shape"]) == 4}
        assert kernels.runner(flatbuffer, "TFLite")()[0].shape == (1, 3)
    assert kinds["float32"] == {"float32"}
    assert "int8" in kinds["int8"]


def test_network_that_cannot_be_cloned_is_refused():
    class Own(tf.keras.layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, images):
            return tf.reduce_mean(self.factor * images, [1, 2])

    inputs = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(inputs, Own(2.0)(inputs))
    with pytest.raises(ValueError, match="the float32 twin cannot be made: "):
        twins(model)
