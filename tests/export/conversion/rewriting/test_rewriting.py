import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, tiny_resnet
from rewritten import (
    binary,
    hard_tanh_between_norm_and_signs,
    head,
    images_for,
    operators,
    rewritten,
    right,
    with_uneven_norms,
)

import export
from export.conversion import rewriting
from export.conversion.rewriting.float32 import find_other_precisions
from export.keras_graph.building import build_model
from recu_tf.quantizers import ReCU

L = tf.keras.layers


def test_kernels_are_frozen_as_they_are_quantized():
    image = tf.keras.Input((8, 8, 32))
    x = lq.layers.QuantConv2D(
        32, 3, input_quantizer="ste_sign", kernel_quantizer=ReCU(), use_bias=True
    )(image)
    x = lq.layers.QuantDense(4, kernel_quantizer="ste_sign")(L.Flatten()(x))
    model = tf.keras.Model(image, x)
    new, steps = rewritten(model)
    names = tuple(layer.name for layer in model.layers if hasattr(layer, "kernel_quantizer"))
    assert steps["freeze quantized kernels"].layers == names
    for name in names:
        layer = new.get_layer(name)
        kernel = layer.kernel.numpy()
        assert isinstance(layer.kernel_quantizer, lq.quantizers.NoOp)
        assert layer.kernel_quantizer.precision == 1
        assert len(np.unique(np.abs(kernel))) <= kernel.shape[-1]
    assert operators(new) == operators(model)


def test_step_that_changes_outputs_is_not_taken(monkeypatch):
    def scale_the_head(graph):
        head = graph.steps[-1]
        head.set_weights([1.01 * weight for weight in head.weights])
        return [head.name]

    monkeypatch.setitem(rewriting.PASSES, "break the head", scale_the_head)
    model = hard_tanh_between_norm_and_signs()
    images = images_for(model)
    new, steps = export.rewrite(model, images)
    assert (steps[-1].name, steps[-1].kept, steps[-1].share_within) == ("break the head", False, 0)
    assert (
        str(steps[-1])
        == f"break the head: not done, it changed the outputs ({model.layers[-1].name})"
    )
    np.testing.assert_allclose(new(images), model(images), rtol=0, atol=2e-5)
    assert [step.kept for step in steps[:-1]] == [True, True]


def test_shared_layers_stay_shared():
    image = tf.keras.Input((8, 8, 32))
    shared = binary()
    model = tf.keras.Model(image, head(shared(L.Activation("hard_tanh")(shared(image)))))
    new, steps = rewritten(model)
    assert set(steps) == {"freeze quantized kernels", "drop hard tanh before a sign"}
    assert len(new.weights) == len(model.weights)


def test_models_within_models_are_rewritten():
    inner = hard_tanh_between_norm_and_signs()
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, L.Softmax()(inner(L.Activation("relu")(image))))
    new, steps = rewritten(model)
    assert "drop hard tanh before a sign" in steps
    assert "RELU_N1_TO_1" not in operators(new)
    sequence = tf.keras.Sequential([tf.keras.Input((8, 8, 32)), inner])
    assert "drop hard tanh before a sign" in rewritten(sequence)[1]


def test_lambda_layers_are_passed_on():
    image = tf.keras.Input((8, 8, 32))
    x = L.Lambda(lambda x: 2 * x)(image)
    model = tf.keras.Model(image, head(binary()(L.Activation("hard_tanh")(x))))
    new, steps = rewritten(model)
    assert "drop hard tanh before a sign" in steps
    assert right(new, model)


class Factor:
    value = 2.0


class Nameless(L.Layer):
    """A layer without a get_config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return self.factor.value * inputs


class Subclass(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution = binary()

    def call(self, inputs):
        return self.convolution(inputs)


def test_models_that_cannot_be_copied_stay_as_they_are():
    image = tf.keras.Input((8, 8, 32))
    model = tf.keras.Model(image, head(binary()(Nameless(Factor())(image))))
    assert export.rewrite(model, images_for(model)) == (model, [])
    model = Subclass()
    images = np.zeros((2, 8, 8, 32), np.float32)
    model(images)
    assert export.rewrite(model, images) == (model, [])


def test_rewriting_leaves_the_model_alone():
    model = with_uneven_norms(tiny_resnet((16, 16, 3), 4))
    before = model.get_weights()
    rewritten(model)
    assert_same_arrays(before, model.get_weights())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precision_is_rebuilt_in_float32(policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    inner = tf.keras.Sequential([L.Conv2D(4, 3), L.Lambda(lambda x: 2 * x)])
    image = tf.keras.Input((8, 8, 3))
    x = L.Conv2D(32, 3, padding="same")(L.Rescaling(0.5)(image)) + 1.0
    x = inner(binary()(L.BatchNormalization()(x)))
    x = L.TimeDistributed(L.Dense(4))(L.Reshape((4, -1))(x))
    model = tf.keras.Model(image, L.Dense(3, dtype="float32")(L.Flatten()(x)))
    # Still in force, as in a process that has just trained.
    new = export.float32_model(model)
    assert find_other_precisions(model) != []
    assert find_other_precisions(new) == []
    assert {weight.dtype for weight in new.weights} == {tf.float32}
    assert new.inputs[0].dtype == new.outputs[0].dtype == tf.float32
    for old, weight in zip(model.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(old.astype(np.float32), weight)
    rewrite, _ = export.rewrite(new, images_for(new))
    assert right(rewrite, new)


def test_float32_model_is_itself():
    model = hard_tanh_between_norm_and_signs()
    assert export.float32_model(model) is model


def test_other_precision_that_cannot_be_rebuilt_is_refused():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    model = Subclass()
    model(np.zeros((1, 8, 8, 32), np.float32))
    with pytest.raises(
        ValueError, match="got mixed_float16, and it cannot be rebuilt: it is a sub"
    ):
        export.float32_model(model)
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, L.Flatten()(Nameless(Factor())(image)))
    with pytest.raises(ValueError, match="must be in float32 to be converted, got mixed_float16"):
        export.float32_model(model)


def test_model_is_built_once_for_all_passes(monkeypatch):
    built = []

    def build(graph):
        built.append(graph)
        return build_model(graph)

    monkeypatch.setattr(rewriting, "build_model", build)
    model = hard_tanh_between_norm_and_signs()
    _, steps = export.rewrite(model, images_for(model))
    assert len(steps) == 2
    assert len(built) == 1
