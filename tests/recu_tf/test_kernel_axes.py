"""Which kernel a `ReCU` belongs to, and where that kernel has its filters."""

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from recu_tf.quantizers import ReCU, StandardizedApproxSign, recu
from recu_tf.schedules import TauScheduler

LAYERS = {
    "dense": (lambda q: lq.layers.QuantDense(3, kernel_quantizer=q), "kernel", -1),
    "conv": (lambda q: lq.layers.QuantConv2D(3, 3, kernel_quantizer=q), "kernel", -1),
    "depthwise": (
        lambda q: lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer=q, depth_multiplier=2),
        "depthwise",
        (-2, -1),
    ),
    "separable": (
        lambda q: lq.layers.QuantSeparableConv2D(3, 3, depthwise_quantizer=q),
        "depthwise",
        (-2, -1),
    ),
    "pointwise": (
        lambda q: lq.layers.QuantSeparableConv2D(3, 3, pointwise_quantizer=q),
        "pointwise",
        -1,
    ),
    "separable1d": (
        lambda q: lq.layers.QuantSeparableConv1D(3, 3, depthwise_quantizer=q),
        "depthwise",
        (-2, -1),
    ),
    "transposed": (
        lambda q: lq.layers.QuantConv2DTranspose(3, 3, kernel_quantizer=q),
        "kernel",
        -2,
    ),
    "transposed3d": (
        lambda q: lq.layers.QuantConv3DTranspose(3, 2, kernel_quantizer=q),
        "kernel",
        -2,
    ),
}


def images_for(layer):
    dimensions = 0 if isinstance(layer, tf.keras.layers.Dense) else layer.rank
    return tf.random.normal((2, *[5] * dimensions, 4))


@pytest.mark.parametrize("given", ["recu", ReCU])
@pytest.mark.parametrize("name", LAYERS)
def test_filters_are_found_where_the_layer_has_them(name, given):
    make_layer, kernel, axis = LAYERS[name]
    layer = make_layer(given if isinstance(given, str) else given(0.9))
    images = images_for(layer)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(images) ** 2)
    quantizer = getattr(layer, f"{kernel}_quantizer")
    variable = getattr(layer, "kernel" if kernel == "kernel" else f"{kernel}_kernel")
    latent = tf.constant(variable.latent_variable.numpy())
    got = tape.gradient(loss, variable.latent_variable)
    assert quantizer.axis == axis
    np.testing.assert_array_equal(quantizer(latent), recu(latent, quantizer.tau, axis))
    # The gradient too is that of this axis: what the other one gives differs.
    other = make_layer(ReCU(quantizer.tau.numpy(), axis=axis))
    other(images)
    other.set_weights(layer.get_weights())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(other(images) ** 2)
    variable = getattr(other, "kernel" if kernel == "kernel" else f"{kernel}_kernel")
    expected = tape.gradient(loss, variable.latent_variable)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("axis", [-1, 0, (-1,)])
@pytest.mark.parametrize("name", ["depthwise", "separable", "transposed", "transposed3d"])
def test_wrong_axis_is_refused_when_the_layer_is_built(name, axis):
    layer = LAYERS[name][0](ReCU(axis=axis))
    inputs = tf.keras.Input(images_for(layer).shape[1:])
    with pytest.raises(RuntimeError, match=r"`axis` of the .*_quantizer of layer .* must be .*-2"):
        layer(inputs)
    assert not lq.context.should_quantize()  # or models saved from here on would hold signs


def test_axis_may_be_counted_from_the_front():
    layer = LAYERS["depthwise"][0](ReCU(axis=(2, 3)))
    layer(images_for(layer))
    assert layer.depthwise_quantizer.axis == (2, 3)


def two_layers(quantizer, other):
    return tf.keras.Sequential(
        [
            lq.layers.QuantConv2D(4, 3, kernel_quantizer=quantizer, name="first"),
            tf.keras.layers.Flatten(),
            lq.layers.QuantDense(2, kernel_quantizer=other, name="second"),
        ]
    )


REFUSED = (
    "A ReCU instance must belong to a single kernel, got the same instance for the "
    "kernel_quantizer of layer 'first' and the kernel_quantizer of layer 'second': pass "
    '"recu", or a separate ReCU\\(\\), for each'
)


def test_one_instance_for_two_layers_is_refused_when_the_second_is_built():
    shared = ReCU()
    with pytest.raises(RuntimeError, match=REFUSED):
        two_layers(shared, shared).build((None, 6, 6, 3))


def test_one_instance_for_two_layers_is_refused_when_training_begins():
    class Subclassed(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = two_layers(*[ReCU()] * 2)

        def call(self, images):
            raise AssertionError("no step is to run")

    model = Subclassed()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=REFUSED):
        model.fit(np.ones((2, 6, 6, 3)), np.ones((2, 2)), callbacks=[TauScheduler(1)], verbose=0)


def test_one_instance_for_both_kernels_of_a_layer_is_refused():
    shared = ReCU()
    layer = lq.layers.QuantSeparableConv2D(
        3, 3, depthwise_quantizer=shared, pointwise_quantizer=shared, name="both"
    )
    with pytest.raises(RuntimeError, match="depthwise_quantizer of layer 'both' and the pointwise"):
        layer(tf.ones((1, 5, 5, 4)))


def test_layer_may_be_called_often_and_copied():
    layer = lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer=ReCU(), padding="same")
    inputs = tf.keras.Input((6, 6, 4))
    model = tf.keras.Model(inputs, layer(layer(inputs)))
    copy = tf.keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    images = tf.random.normal((2, 6, 6, 4))
    np.testing.assert_array_equal(copy(images), model(images))


@pytest.mark.parametrize("suffix", [".keras", ".h5", pytest.param("", marks=pytest.mark.slow)])
def test_found_axis_survives_saving(suffix, tmp_path):
    layers = [LAYERS[name][0]("recu") for name in ("depthwise", "transposed")]
    sign = StandardizedApproxSign()  # has no weights and may be shared
    layers.append(lq.layers.QuantConv2D(2, 3, kernel_quantizer="recu", input_quantizer=sign))
    layers.append(lq.layers.QuantConv2D(2, 1, kernel_quantizer="recu", input_quantizer=sign))
    model = tf.keras.Sequential([tf.keras.Input((7, 7, 4)), *layers])
    model.compile("sgd", "mse")
    model.save(tmp_path / f"model{suffix}")
    loaded = tf.keras.models.load_model(tmp_path / f"model{suffix}")
    images = tf.random.normal((2, 7, 7, 4))
    np.testing.assert_array_equal(loaded(images), model(images))
    axes = [layer.depthwise_quantizer.axis for layer in loaded.layers[:1]]
    assert [*axes, *(layer.kernel_quantizer.axis for layer in loaded.layers[1:])] == [
        (-2, -1),
        -2,
        -1,
        -1,
    ]
