import re

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from bad_parts import Apply
from larq_models import SIGNS

import export
from export.keras_graph import kernel_faults

K = tf.keras.layers


def quantizer(function):
    """A function as a quantizer that claims to give one bit."""

    class Claimed(lq.quantizers.Quantizer):
        precision = 1

        def call(self, inputs):
            return function(inputs)

    return Claimed()


def convolution(name, channels=16, kernel=None, **options):
    """A binary convolution; `kernel` changes what the kernel is."""
    options = {"padding": "same", "use_bias": False, "input_quantizer": "ste_sign", **options}
    options.setdefault("kernel_quantizer", "ste_sign")
    if kernel is not None:
        options["kernel_quantizer"] = lq.quantizers.NoOp(precision=1)

        def initializer(shape, dtype=None):
            signs = np.random.default_rng(0).choice([-1.0, 1.0], shape)
            kernel(signs)
            return tf.constant(signs, dtype)

        options["kernel_initializer"] = initializer
    return lq.layers.QuantConv2D(channels, 3, name=name, **options)


def behind_sign(*between, **options):
    """Layers between a sign and a convolution without an input quantizer of its own."""

    def branch(x, name):
        x = Apply(lq.math.sign, name=f"{name}.sign")(x)
        for layer in between:
            x = layer(x)
        return convolution(name, input_quantizer=lq.quantizers.NoOp(precision=1), **options)(x)

    return branch


def only(**options):
    return lambda x, name: convolution(name, **options)(x)


def of_kernel(change):
    return only(kernel=change)


def filter_of_zeros(kernel):
    kernel[..., 3] = 0


def two_magnitudes(kernel):
    kernel[0, 0, 0, 5] *= 2
    kernel[0, 0, 0, 7] *= 2


def zero_weight(kernel):
    kernel[0, 0, 0, 5] = 0


def very_small(kernel):
    kernel *= 1e-8


def not_finite(kernel):
    kernel[0, 0, 0, 5] = np.nan


def magnitudes_nearly_alike(kernel):
    kernel[0, 0, 0, 5] *= 1.004


def scale_per_filter(kernel):
    kernel *= np.arange(1, kernel.shape[-1] + 1)


def scaled_in_three_dimensions(x, name):
    x = convolution(name)(x)
    return Apply(lambda x: x * tf.reshape(tf.range(1.0, 17), (1, 1, 16)))(x)


def channels_first(x, name):
    x = K.Permute((3, 1, 2))(x)
    return convolution(name, data_format="channels_first")(x)


def depthwise(x, name):
    signs = {"input_quantizer": "ste_sign", "depthwise_quantizer": "ste_sign"}
    return lq.layers.QuantDepthwiseConv2D(3, name=name, **signs)(x)


def separable(x, name):
    signs = {f"{name}_quantizer": "ste_sign" for name in ("input", "depthwise", "pointwise")}
    return lq.layers.QuantSeparableConv2D(16, 3, name=name, **signs)(x)


def transposed(x, name):
    return lq.layers.QuantConv2DTranspose(16, 3, name=name, **SIGNS)(x)


def dense(x, name, **quantizers):
    return lq.layers.QuantDense(16, name=name, **{**SIGNS, **quantizers})(K.Flatten()(x))


def dense_behind_own_sign(x, name):
    x = Apply(lq.math.sign, name=f"{name}.sign")(x)
    return dense(x, name, input_quantizer=lq.quantizers.NoOp(precision=1))


def dense_behind_zeros(x, name):
    return dense(x, name, input_quantizer=lq.quantizers.SteHeaviside())


def one_dimensional(x, name):
    return lq.layers.QuantConv1D(16, 3, name=name, **SIGNS)(K.Reshape((36, 32))(x))


def signed_by_arithmetic(x):
    return 2 * tf.cast(x >= 0.25, x.dtype) - 1


def signed_and_turned(x):
    return tf.transpose(lq.math.sign(x), [0, 2, 1, 3])


KNOWN = {
    "plain": only(),
    "valid": only(padding="valid", strides=2),
    "dilated": only(dilation_rate=2),
    "padded with ones": only(pad_values=1.0, strides=2),
    "with bias": only(use_bias=True, activation="relu"),
    "groups of 32": lambda x, name: convolution(name, groups=2)(K.Concatenate()([x, x])),
    "where": only(input_quantizer=quantizer(lambda x: tf.where(x >= 0, 1.0, -1.0))),
    "kernel by tf.sign": only(kernel_quantizer=quantizer(tf.sign)),
    "magnitude-aware kernel": only(kernel_quantizer="magnitude_aware_sign"),
    "nearly alike": of_kernel(magnitudes_nearly_alike),
    "scale of each filter": of_kernel(scale_per_filter),
    "dropped out": behind_sign(K.Dropout(0.5, name="drop")),
}

LOST = {
    "bare sign": (
        only(input_quantizer=quantizer(tf.sign)),
        r"a bare tf\.sign \(input quantizer 'claimed.*' \(Claimed\)\).* knows `lq\.math\.sign`",
    ),
    "bare sign before": (
        lambda x, name: convolution(name, input_quantizer=lq.quantizers.NoOp(precision=1))(
            Apply(tf.sign, name="somewhere.else")(x)
        ),
        r"a bare tf\.sign of layer 'somewhere\.else'",
    ),
    "arithmetic": (
        only(input_quantizer=quantizer(signed_by_arithmetic)),
        r"comes from SUB, MUL, CAST, GREATER_EQUAL of its input quantizer, in which .* no sign",
    ),
    "heaviside": (
        only(input_quantizer=lq.quantizers.SteHeaviside()),
        r"reads is not -1 and 1 but 0, 1, behind the input quantizer 'ste_heaviside",
    ),
    "half": (
        only(input_quantizer=quantizer(lambda x: 0.5 * lq.math.sign(x))),
        r"is not -1 and 1 but -0\.5, 0\.5, behind .* a scale belongs behind the convolution",
    ),
    "magnitude-aware input": (
        only(input_quantizer=lq.quantizers.MagnitudeAwareSign()),
        r"is not -1 and 1 but -.* values\), behind the input quantizer 'magnitude_aware_sign",
    ),
    "scaled": (behind_sign(Apply(lambda x: 3 * x, name="three")), r"is not -1 and 1 but -3, 3"),
    "turned by quantizer": (
        only(input_quantizer=quantizer(signed_and_turned)),
        r"stands TRANSPOSE of its input quantizer; .* must end with the sign",
    ),
    "transpose": (
        behind_sign(Apply(lambda x: tf.transpose(x, [0, 2, 1, 3]), name="turn")),
        r"stands TRANSPOSE of layer 'turn'; move it in front of the sign",
    ),
    "pooled": (behind_sign(K.MaxPool2D(name="pool")), "stands MAX_POOL_2D of layer 'pool'"),
    "normalised": (behind_sign(K.BatchNormalization(name="norm")), "stands .*MUL of layer 'norm'"),
    "fused padding": (
        behind_sign(K.ZeroPadding2D(1, name="fused"), padding="valid"),
        r'stands a padding, which the converter has fused .* pad with padding="same" in the layer',
    ),
    "padding": (
        behind_sign(K.ZeroPadding2D(((1, 0), (1, 0)), name="pad"), padding="valid", strides=2),
        r"""stands PAD of layer 'pad'; pad with padding="same" in the layer""",
    ),
    "pad value": (only(pad_values=-1.0), r"its `pad_values` is -1\.0; .* pad with 0 or 1"),
    "groups of 16": (only(groups=2), "has 16 input channels in each of its 2 groups; .* of 32"),
    "zero filter": (
        of_kernel(filter_of_zeros),
        r"kernel holds only zeros in filter 3 \(of 16\);",
    ),
    "zero weight": (
        of_kernel(zero_weight),
        r"holds zeros beside other values in filter 5 \(of 16\); `tf\.sign` gives 0",
    ),
    "two magnitudes": (
        of_kernel(two_magnitudes),
        r"holds more than one magnitude in filters 5, 7 \(of 16\)",
    ),
    "small kernel": (
        of_kernel(very_small),
        r"of at most 1\.2e-07 in filters 0, 1, 2, 3, 4 and others \(of 16\)",
    ),
    "not finite": (of_kernel(not_finite), "holds weights that are not finite numbers"),
    "random kernel": (
        only(kernel_quantizer=quantizer(lambda x: lq.math.sign(x + tf.random.normal(x.shape)))),
        r"kernel is computed anew in every run; .* may depend on the kernel alone",
    ),
    "scale in 3 dimensions": (
        scaled_in_three_dimensions,
        r"has shape \(1, 1, 16\), with which the engine cannot load .* shape \(16,\)",
    ),
    "channels first": (channels_first, "data format is channels_first"),
    "depthwise": (depthwise, "no binary form of QuantDepthwiseConv2D"),
    "separable": (separable, "no binary form of QuantSeparableConv2D"),
    "transposed": (transposed, "no binary form of QuantConv2DTranspose"),
    "dense": (dense, "no binary form of QuantDense"),
    "dense behind own sign": (dense_behind_own_sign, "is no sign by itself; give it one that is"),
    "dense behind zeros": (dense_behind_zeros, "is not -1 and 1 but 0, 1, behind the input quant"),
    "one-dimensional": (one_dimensional, "no binary form of QuantConv1D"),
    "two faults": (
        only(pad_values=0.5, groups=2),
        r"has 16 input channels .* its `pad_values` is 0\.5",
    ),
}


def layer_name(case):
    return case.replace(" ", "_")


@pytest.fixture(scope="module")
def audited():
    """One network, each layer a case, since most of a conversion's time is for each network."""
    tf.keras.utils.set_random_seed(0)
    inputs = tf.keras.Input((6, 6, 32))
    branches = {**KNOWN, **{case: branch for case, (branch, _) in LOST.items()}}
    # A number of its own for each case, or the converter makes one of what they have in common.
    outputs = [
        K.Flatten()(branch(Apply(lambda x, i=i: x - 0.01 * i)(inputs), layer_name(case)))
        for i, (case, branch) in enumerate(branches.items())
    ]
    model = tf.keras.Model(inputs, K.Concatenate()(outputs))
    return export.audit(export.convert(model), model)


@pytest.mark.slow
@pytest.mark.parametrize("case", KNOWN)
def test_layer_that_is_converted_whole_has_no_reason(audited, case):
    assert layer_name(case) in audited.expected
    assert layer_name(case) not in audited.lost, audited.lost[layer_name(case)]
    kinds = {row.operator for row in audited.rows if row.layer == layer_name(case)}
    assert "LceBconv2d" in kinds


@pytest.mark.slow
@pytest.mark.parametrize("case", LOST)
def test_reason_is_found(audited, case):
    reason = audited.lost[layer_name(case)]
    assert re.search(LOST[case][1], reason), reason


@pytest.mark.slow
def test_layers_with_a_fault_have_no_usable_binary_convolution(audited):
    binary = {row.layer for row in audited.rows if row.operator == "LceBconv2d"}
    unusable = {layer_name("not finite"), layer_name("scale in 3 dimensions")}
    assert set(audited.lost) & binary == unusable


def test_unknown_reason_is_said_with_the_operators_around(monkeypatch):
    monkeypatch.setattr(kernel_faults, "GROUP_CHANNELS", 1)
    inputs = tf.keras.Input((6, 6, 32))
    model = tf.keras.Model(inputs, convolution("lost", groups=2)(inputs))
    reason = export.audit(export.convert(model), model).lost["lost"]
    assert reason == (
        "the reason is not known. The operators before it, the last first: "
        "CONV_2D FLOAT32[1, 6, 6, 16] <- LceDequantize FLOAT32[1, 6, 6, 32]."
    )


def test_file_of_another_model_is_not_taken_for_this_one():
    inputs = tf.keras.Input((6, 6, 32))
    model = tf.keras.Model(inputs, convolution("wanted")(inputs), name="one")
    other = tf.keras.Model(inputs, K.Conv2D(4, 1, name="other")(inputs), name="two")
    audited = export.audit(export.convert(other), model)
    assert audited.lost == {"wanted": "no operator of the file could be mapped to it."}


def test_target_xcore_wants_ones_or_no_padding():
    inputs = K.Input((8, 8, 32))
    x = convolution("zeros", 32)(inputs)
    x = convolution("ones", 32, pad_values=1)(x)
    model = tf.keras.Model(inputs, convolution("unpadded", 32, padding="valid")(x))
    audited = export.audit(export.convert(model, target="xcore"), model, target="xcore")
    assert list(audited.lost) == ["zeros"]
    assert "padded with zeros, with which the target xcore has no binary conv" in str(audited)
