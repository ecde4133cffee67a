import logging

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays
from larq_models import (
    CLIPPED,
    IMAGES,
    SIGNS,
    assert_recu,
    assert_same_weights,
    outputs_with,
    small_model,
)

from recu_tf.models import with_recu
from recu_tf.quantizers import ReCU, StandardizedApproxSign
from recu_tf.schedules import TauScheduler


def test_binary_layers_get_recu_and_everything_else_stays(caplog):
    model = small_model()
    model.get_layer("norm").trainable = False
    for weight in model.weights:
        weight.assign_add(tf.random.uniform(weight.shape))
    before = model.get_weights()
    with caplog.at_level(logging.WARNING):
        copy = with_recu(model)
    assert not caplog.records
    for name in ("first", "second"):
        assert_recu(copy.get_layer(name))
    first, second, real = map(copy.get_layer, ("first", "second", "real"))
    assert first.input_quantizer is None
    assert isinstance(second.input_quantizer, StandardizedApproxSign)
    assert real.kernel_quantizer is None
    assert first.kernel_regularizer.l2 == model.get_layer("first").kernel_regularizer.l2
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert (copy.name, copy.input_names) == ("small", ["photographs"])
    assert len(copy.trainable_weights) == len(model.trainable_weights)
    assert copy(IMAGES).shape == model(IMAGES).shape
    assert copy.count_params() == model.count_params() + 2
    assert_same_weights(copy, model)
    # Of another model than before, which is left as it was.
    assert model.get_layer("second").kernel_constraint is not None
    copy.get_layer("second").kernel.assign(tf.zeros_like(copy.get_layer("second").kernel))
    assert_same_arrays(model.get_weights(), before)


def test_layers_are_chosen_by_name():
    copy = with_recu(small_model(), layers=["second"])
    assert_recu(copy.get_layer("second"))
    assert not isinstance(copy.get_layer("first").kernel_quantizer, ReCU)
    assert copy.get_layer("first").kernel_constraint is not None
    assert_recu(with_recu(small_model(), layers="first").get_layer("first"))


def test_a_layer_that_has_recu_keeps_its_temperature_and_gets_no_share_in_another():
    layer = lq.layers.QuantConv2D(4, 3, kernel_quantizer=ReCU(0.91))
    model = outputs_with("model", layer)
    layer.kernel_quantizer.tau.assign(0.95)
    (quantizer,) = (part for part in with_recu(model).submodules if isinstance(part, ReCU))
    assert quantizer.tau.numpy() == np.float32(0.95)
    assert quantizer is not layer.kernel_quantizer


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (lambda: lq.layers.QuantConv2D(4, 3, **CLIPPED), {"kernel": -1}),
        (lambda: lq.layers.QuantDense(4, **CLIPPED), {"kernel": -1}),
        (lambda: lq.layers.QuantConv2DTranspose(4, 3, **CLIPPED), {"kernel": -2}),
        (
            lambda: lq.layers.QuantDepthwiseConv2D(
                3, depthwise_quantizer="ste_sign", depthwise_constraint="weight_clip"
            ),
            {"depthwise": (-2, -1)},
        ),
        (
            lambda: lq.layers.QuantSeparableConv2D(
                4,
                3,
                input_quantizer="ste_sign",
                depthwise_quantizer="ste_sign",
                pointwise_quantizer="ste_sign",
                pointwise_constraint="weight_clip",
            ),
            {"depthwise": (-2, -1), "pointwise": -1},
        ),
        (
            lambda: lq.layers.QuantSeparableConv2D(4, 3, pointwise_quantizer="ste_sign"),
            {"pointwise": -1},
        ),
    ],
    ids=["ordinary", "dense", "transposed", "depthwise", "separable", "half separable"],
)
def test_every_kind_of_layer_has_its_axes(layer, axes):
    model = outputs_with("model", layer())
    copy = with_recu(model)
    found = copy.layers[-1]
    assert_recu(found, *(f"{name}_quantizer" for name in axes))
    for name, axis in axes.items():
        assert getattr(found, f"{name}_quantizer").axis == axis
    assert sum(isinstance(part, ReCU) for part in copy.submodules) == len(axes)
    had_one = model.layers[-1].input_quantizer is not None
    assert isinstance(found.input_quantizer, StandardizedApproxSign) == had_one
    assert_same_weights(copy, model)
    assert copy(IMAGES).shape == model(IMAGES).shape


def test_layers_and_models_used_twice_stay_one():
    shared = lq.layers.QuantConv2D(3, 3, padding="same", name="shared", **CLIPPED)
    inner_inputs = tf.keras.Input((8, 8, 3))
    inner_outputs = shared(lq.layers.QuantConv2D(3, 1, name="inner_layer", **CLIPPED)(inner_inputs))
    inner = tf.keras.Model(inner_inputs, inner_outputs, name="inner")
    inputs = tf.keras.Input((8, 8, 3))
    x = inner(inner(shared(inputs)))
    sequential = tf.keras.Sequential(
        [lq.layers.QuantConv2D(3, 3, name="deep", **CLIPPED)], name="sequential"
    )
    model = tf.keras.Model(inputs, sequential(shared(x)), name="outer")
    copy = with_recu(model)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert copy.get_layer("shared") is copy.get_layer("inner").get_layer("shared")
    assert_recu(copy.get_layer("inner").get_layer("inner_layer"))
    assert_recu(copy.get_layer("sequential").get_layer("deep"))
    assert len([part for part in copy.submodules if isinstance(part, ReCU)]) == 3
    assert copy.count_params() == model.count_params() + 3
    assert_same_weights(copy, model)
    assert copy(IMAGES).shape == model(IMAGES).shape
    chosen = with_recu(model, layers=["deep"])
    assert len([part for part in chosen.submodules if isinstance(part, ReCU)]) == 1


def test_calls_are_those_of_the_model():
    """Where both quantizers give the same signs, both models give the same numbers."""
    shared = lq.layers.QuantConv2D(3, 3, padding="same", **CLIPPED)
    inputs = tf.keras.Input((8, 8, 3))
    x = shared(inputs)
    for _ in range(2):
        x = tf.keras.layers.Concatenate()([x[..., 1:], inputs[..., :1]])
        x = shared(x) - 3.5
    model = tf.keras.Model(inputs, x)
    kernel = shared.kernel.latent_variable
    # Each filter has the mean 0, so that centring moves no sign.
    kernel.assign(kernel - tf.reduce_mean(kernel, axis=(0, 1, 2)))
    np.testing.assert_array_equal(with_recu(model)(IMAGES), model(IMAGES))


def test_layers_within_wrappers_are_found():
    inputs = tf.keras.Input((2, 8, 8, 3))
    part = tf.keras.Sequential(
        [tf.keras.Input((8, 8, 3)), lq.layers.QuantConv2D(4, 3, name="part", **CLIPPED)]
    )
    x = tf.keras.layers.TimeDistributed(part, name="frames")(inputs)
    layer = lq.layers.QuantConv2D(4, 3, name="wrapped", **CLIPPED)
    x = tf.keras.layers.TimeDistributed(layer, name="frames_again")(x)
    model = tf.keras.Model(inputs, x)
    copy = with_recu(model)
    assert_recu(copy.get_layer("frames").layer.get_layer("part"))
    assert_recu(copy.get_layer("frames_again").layer)
    assert_same_weights(copy, model)
    assert copy.output_shape == model.output_shape


def test_sequential_models_without_a_declared_input_are_taken_once_they_are_built():
    layers = [lq.layers.QuantConv2D(4, 3, **CLIPPED), tf.keras.layers.Flatten()]
    model = tf.keras.Sequential(layers, name="late")
    with pytest.raises(ValueError, match="`model` must be built, got 'late'"):
        with_recu(model)
    model(IMAGES)
    copy = with_recu(model)
    assert_recu(copy.layers[0])
    assert_same_weights(copy, model)
    assert copy(IMAGES).shape == model(IMAGES).shape


def test_quantizers_that_are_registered_nowhere_are_replaced():
    def own_sign(x):
        return tf.sign(x)

    layer = lq.layers.QuantConv2D(4, 3, input_quantizer=own_sign, kernel_quantizer=own_sign)
    copy = with_recu(outputs_with("model", layer))
    assert_recu(copy.layers[-1])
    assert isinstance(copy.layers[-1].input_quantizer, StandardizedApproxSign)


@tf.keras.utils.register_keras_serializable(package="test")
class BinaryBlock(lq.layers.QuantConv2D):
    """Chooses its quantizers itself."""

    def __init__(self, filters, **kwargs):
        super().__init__(filters, 3, **SIGNS, **kwargs)

    def get_config(self):
        return {"filters": self.filters, "name": self.name}


def test_subclasses_that_choose_their_quantizers_get_recu():
    copy = with_recu(outputs_with("model", BinaryBlock(4, name="own")))
    assert type(copy.layers[-1]) is BinaryBlock
    assert_recu(copy.get_layer("own"))
    assert isinstance(copy.get_layer("own").input_quantizer, StandardizedApproxSign)


def test_frozen_models_stay_frozen():
    model = small_model()
    model.trainable = False
    assert with_recu(model).trainable_weights == []


@pytest.mark.slow
def test_copy_trains_saves_and_loads(tmp_path):
    copy = with_recu(small_model())
    before = [copy.get_layer(name).get_weights()[0] for name in ("first", "second")]
    copy.compile("sgd", "mse")
    copy.fit(IMAGES, np.eye(2, 5), callbacks=[TauScheduler(1, tau_min=0.7)], verbose=0)
    assert [part.tau.numpy() for part in copy.submodules if isinstance(part, ReCU)] == [
        np.float32(0.7)
    ] * 2
    after = [copy.get_layer(name).get_weights()[0] for name in ("first", "second")]
    assert all((new != old).any() for new, old in zip(after, before, strict=True))
    for name in ("model.keras", "model.h5"):
        copy.save(tmp_path / name)
        loaded = tf.keras.models.load_model(tmp_path / name)
        np.testing.assert_array_equal(loaded(IMAGES), copy(IMAGES))
