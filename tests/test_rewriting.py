import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import small_resnet

import export
from export import rewriting
from export.rewriting.float32 import other_precision
from export.rewriting.graph import Changes, planned, rebuilt
from export.rewriting.hard_tanh import drop_hard_tanh, reads_sign_only
from export.rewriting.padding import TurnedConvolution, safe_padding
from recu_tf.layers import HardTanh
from recu_tf.quantizers import ReCU, StandardizedApproxSign

L = tf.keras.layers


def images_for(model, count=8):
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def binary(filters=32, **options):
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
    padding = {"padding": "same", "pad_values": 0}
    return lq.layers.QuantConv2D(filters, 3, use_bias=False, **{**signs, **padding, **options})


def with_uneven_norms(model):
    """Batch norms with averages, and factors of both signs, as trained ones have."""
    rng = np.random.default_rng(1)
    for layer in model.submodules:
        if isinstance(layer, L.BatchNormalization):
            for weight in layer.weights:
                positive = "variance" in weight.name
                weight.assign(
                    rng.uniform(0.5, 2, weight.shape) if positive else rng.normal(size=weight.shape)
                )
    return model


def head(x):
    return L.Dense(3)(L.GlobalAveragePooling2D()(x))


def rewritten(model):
    """The rewritten model and its steps by name, after the outputs were found to be the same."""
    images = images_for(model)
    new, steps = export.rewrite(model, images)
    expected = model(images, training=False).numpy()
    # Float sums in another order; no sign is that close to 0 with these seeds.
    np.testing.assert_allclose(new(images, training=False), expected, rtol=0, atol=2e-5)
    assert all(step.kept for step in steps)
    return new, {step.name: step for step in steps}


def operators(model):
    return export.audit(export.convert(model), model).operators


def right(model, original=None):
    """Whether the converted model computes what the model does."""
    return export.verify(export.convert(model), original or model, images_for(model)).alike


def hard_tanh_between_norm_and_signs(readers=1, also_read=False, activation=None):
    image = tf.keras.Input((8, 8, 32))
    x = L.BatchNormalization()(image)
    x = clipped = (activation or L.Activation("hard_tanh"))(x)
    branches = [binary()(x) for _ in range(readers)]
    x = L.Add()(branches) if readers > 1 else branches[0]
    if also_read:
        x = L.Add()([x, clipped])
    return with_uneven_norms(tf.keras.Model(image, head(x)))


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("activation", [lambda: L.Activation("hard_tanh"), HardTanh])
def test_hard_tanh_before_signs_is_dropped(readers, activation):
    model = hard_tanh_between_norm_and_signs(readers, activation=activation())
    assert "drop hard tanh before a sign" in rewritten(model)[1]


def test_file_without_hard_tanh_lacks_its_operator_and_packs_bits():
    image = tf.keras.Input((8, 8, 32))
    x = HardTanh()(L.BatchNormalization()(binary(pad_values=1)(image)))
    model = with_uneven_norms(tf.keras.Model(image, head(binary(pad_values=1)(x))))
    new, _ = rewritten(model)
    before, after = (export.audit(export.convert(one), model) for one in (model, new))
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
        assert drop_hard_tanh(model).layers == {}


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


def pool_before_norm(pad_values=0, also_read=False, positive=False, norm=None, padding="same"):
    image = tf.keras.Input((8, 8, 32))
    x = pool = L.MaxPooling2D(2)(binary()(image))
    x = (norm or L.BatchNormalization())(x)
    y = binary(pad_values=pad_values, padding=padding)(x)
    y = L.Flatten()(y)
    if also_read == "norm":
        y = L.Concatenate()([y, L.Flatten()(x)])
    if also_read == "pool":
        y = L.Concatenate()([y, L.Flatten()(pool)])
    model = with_uneven_norms(tf.keras.Model(image, L.Dense(3)(y)))
    if positive:
        layer = next(one for one in model.layers if isinstance(one, L.BatchNormalization))
        layer.gamma.assign(tf.abs(layer.gamma))
    return model


POOL = "normalise before max-pools"


def test_pool_behind_its_batch_norm_pools_bits_also_with_negative_factors():
    model = pool_before_norm()
    gamma = next(one for one in model.layers if isinstance(one, L.BatchNormalization)).gamma
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


def padded(kind, size=(8, 8), window=(3, 3), padding=1, strides=2, dilation=1, signs=False):
    image = tf.keras.Input((*size, 32))
    x = StandardizedApproxSign()(image) if signs else image
    x = L.ZeroPadding2D(padding)(x)
    if kind == "binary":
        x = lq.layers.QuantConv2D(32, window, strides, kernel_quantizer=ReCU(), use_bias=False)(x)
    elif kind == "depthwise":
        x = L.DepthwiseConv2D(window, strides)(x)
    else:
        x = L.Conv2D(32, window, strides, dilation_rate=dilation)(x)
    return tf.keras.Model(image, x)


PADDING = "pad strided convolutions exactly"


@pytest.mark.parametrize(
    ("options", "mistaken"),
    [
        ({}, True),
        ({"size": (8, 9)}, True),
        ({"size": (9, 9)}, False),
        ({"window": (5, 7), "padding": (2, 3)}, True),
        ({"strides": 1}, False),
        ({"strides": 1, "dilation": 2, "padding": 2}, False),
        ({"kind": "depthwise"}, True),
        ({"kind": "depthwise", "signs": True}, True),
        ({"padding": ((1, 0), (1, 0))}, False),
        ({"kind": "binary", "signs": True}, True),
        ({"kind": "binary", "signs": True, "size": (9, 9)}, False),
    ],
)
def test_strided_convolutions_are_padded_exactly(options, mistaken):
    model = padded(**{"kind": "float", **options})
    new, steps = rewritten(model)
    assert (PADDING in steps) == mistaken
    assert right(new, model)
    # The converter gets wrong what is rewritten, and nothing else: else there is no need for it.
    assert right(model) == (not mistaken)


def test_binary_convolution_stays_one_between_two_turns():
    model = padded("binary", signs=True)
    new, _ = rewritten(model)
    assert any(isinstance(layer, TurnedConvolution) for layer in new.layers)
    assert operators(new)["LceBconv2d"] == 1
    copy = tf.keras.models.clone_model(new)
    copy.set_weights(new.get_weights())
    np.testing.assert_array_equal(copy(images_for(new)), new(images_for(new)))


def test_binary_convolution_whose_windows_no_turn_gives_is_right_in_float():
    model = padded("binary", signs=True, window=(3, 3), padding=1, size=(8, 9))
    new, steps = rewritten(model)
    assert PADDING in steps
    assert right(new, model)


def test_padding_that_others_read_stays_and_so_does_one_that_is_called_twice():
    image = tf.keras.Input((8, 8, 3))
    pad = L.ZeroPadding2D(1)
    x = pad(image)
    read = tf.keras.Model(image, L.Add()([L.Conv2D(4, 3, 2)(x), L.Conv2D(4, 3, 2)(x)]))
    pad = L.ZeroPadding2D(1)
    twice = tf.keras.Model(image, L.Conv2D(4, 3, 2)(pad(L.Conv2D(4, 3, 2)(pad(image)))))
    for model in (read, twice):
        assert PADDING not in rewritten(model)[1]


def windows(size, padding, window, stride):
    """The pixels that each window reads, counted from the first of the image; None is padding."""
    before, behind = padding
    pixels = [None] * before + list(range(size)) + [None] * behind
    return [pixels[at : at + window] for at in range(0, len(pixels) - window + 1, stride)]


def test_safe_padding_has_the_same_windows_and_is_not_taken_for_same():
    for size in range(1, 18):
        for pad in range(4):
            for window in range(1, 8):
                for stride in range(1, 5):
                    if size + 2 * pad < window:
                        continue
                    expected = windows(size, (pad, pad), window, stride)
                    total = max((-(-size // stride) - 1) * stride + window - size, 0)
                    same = windows(size, (total // 2, total - total // 2), window, stride)
                    safe = safe_padding(size, (pad, pad), window, stride)
                    where = (size, pad, window, stride)
                    if safe is None:
                        # What the converter takes it for is right.
                        assert len(same) != len(expected) or same == expected, where
                    else:
                        assert safe[0] != safe[1], where
                        assert windows(size, safe, window, stride) == expected, where


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
    def wrong(model):
        changes = Changes()
        layer = model.layers[-1]
        new = type(layer).from_config(layer.get_config())
        changes.replace(layer, new, [1.01 * one for one in layer.get_weights()])
        return changes

    monkeypatch.setitem(rewriting.STEPS, "break the head", wrong)
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
    """A layer that does not tell how it was made."""

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
    model = with_uneven_norms(small_resnet((16, 16, 3), 4))
    before = model.get_weights()
    rewritten(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


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
    assert other_precision(model) != []
    assert other_precision(new) == []
    assert {one.dtype for one in new.weights} == {tf.float32}
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


def test_copy_has_the_weights_of_the_model():
    model = with_uneven_norms(pool_before_norm())
    copy = rebuilt(model, planned(model, lambda one: Changes()))
    images = images_for(model)
    np.testing.assert_array_equal(copy(images), model(images))
    assert not {id(one) for one in copy.weights} & {id(one) for one in model.weights}
