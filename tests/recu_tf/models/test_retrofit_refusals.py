import larq as lq
import pytest
import tensorflow as tf
from larq_models import CLIPPED, IMAGES, assert_recu, assert_same_weights, outputs_with, small_model

from recu_tf.models import with_recu


@tf.keras.utils.register_keras_serializable(package="test")
class Composite(tf.keras.layers.Layer):
    """Has a Larq layer inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inside = lq.layers.QuantConv2D(4, 3, name="inside", **CLIPPED)

    def call(self, inputs):
        return self.inside(inputs)


def test_layers_inside_of_other_layers_are_refused():
    inputs = tf.keras.Input((8, 8, 3))
    x = Composite(name="composite")(inputs)
    model = tf.keras.Model(inputs, lq.layers.QuantConv2D(4, 3, name="outside", **CLIPPED)(x))
    with pytest.raises(ValueError, match="'inside': it lies inside of 'composite', a Composite"):
        with_recu(model)
    copy = with_recu(model, layers=["outside"])
    assert_recu(copy.get_layer("outside"))
    assert_same_weights(copy, model)


class Subclassed(tf.keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.inside = lq.layers.QuantConv2D(4, 3, **CLIPPED)

    def call(self, inputs):
        return self.inside(inputs)


def test_what_cannot_be_converted_is_refused():
    subclassed = Subclassed()
    subclassed(IMAGES)
    real = outputs_with("real", lq.layers.QuantConv2D(4, 3, input_quantizer="ste_sign"))
    with pytest.raises(ValueError, match=r"functional or sequential model.*'own', a subclassed"):
        with_recu(subclassed)
    with pytest.raises(ValueError, match="`model` must be a Keras model, got str"):
        with_recu("QuickNet")
    with pytest.raises(ValueError, match=r"one Larq layer with a kernel quantizer, .*'real'"):
        with_recu(real)
    with pytest.raises(ValueError, match="quantizer, first, second, got 'real', 'third'"):
        with_recu(small_model(), layers=["first", "real", "third"])
    with pytest.raises(ValueError, match=r"`layers` must name .* got no name"):
        with_recu(small_model(), layers=[])
    for layers, kind in ((5, "int"), (b"first", "bytes")):
        with pytest.raises(ValueError, match=f"`layers` must be None, .* got {kind}"):
            with_recu(small_model(), layers=layers)


def test_an_error_leaves_larq_as_it_was():
    """A 1x1 depthwise kernel has one weight per filter, which ReCU refuses."""
    layer = lq.layers.QuantDepthwiseConv2D(1, depthwise_quantizer="ste_sign", name="thin")
    with pytest.raises(ValueError, match="thin"):
        with_recu(outputs_with("model", layer))
    assert not lq.context.should_quantize()
