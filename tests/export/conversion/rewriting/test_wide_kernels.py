import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from larq_models import SIGNS
from model_sources import source
from rewritten import (
    binary,
    converted,
    images_for,
    operators,
    rewritten,
    right,
    with_uneven_norms,
    wrong_outputs,
)

import export
from export import ExportError, export_network
from export.conversion.rewriting.wide_kernels import PaddedWithOnes, is_wide
from export.proof.engine_faults import find_wide_kernels

L = tf.keras.layers
WIDE = "pad kernels wider than their map with ones"


def behind(layer, size, channels=32):
    """A layer between others, on a map of a size."""
    image = tf.keras.Input((*size, channels))
    x = L.BatchNormalization()(layer(image))
    return with_uneven_norms(tf.keras.Model(image, x))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "wide"),
    [
        *[(1, 3, 1, 1, True), (2, 3, 1, 1, True), (3, 3, 1, 1, False), (1, 1, 1, 1, False)],
        *[(4, 5, 1, 1, True), (5, 5, 1, 1, False), (5, 7, 1, 1, True), (7, 7, 1, 1, False)],
        *[(4, 3, 1, 2, True), (5, 3, 1, 2, False)],
        # No window holds the map where the two that there are begin before it and in it.
        *[(4, 5, 2, 1, True), (4, 5, 3, 1, False), (1, 2, 1, 1, True)],
    ],
)
def test_kernel_is_wide_where_a_window_holds_the_map_and_more(size, kernel, stride, dilation, wide):
    assert is_wide(size, kernel, stride, dilation) == wide


# The size of each map, and the options of the convolution on it.
WIDE_CONVOLUTIONS = [
    ((1, 1), {}),
    ((2, 8), {"use_bias": True, "bias_initializer": "normal", "activation": "relu"}),
    ((4, 4), {"dilation_rate": 2}),
    ((3, 4), {"kernel_size": 7, "strides": (2, 3)}),
    ((2, 2), {"groups": 2}),
]


@pytest.mark.slow
def test_wide_kernels_are_padded_with_ones_and_stay_binary():
    tf.keras.utils.set_random_seed(0)
    options = {"kernel_size": 3, "padding": "same", "use_bias": False, **SIGNS}
    maps = [tf.keras.Input((*size, 64)) for size, _ in WIDE_CONVOLUTIONS]
    names = [f"conv{number}" for number in range(len(maps))]
    outputs = [
        L.BatchNormalization(name=f"{name}.norm")(
            lq.layers.QuantConv2D(32, name=name, **{**options, **more})(image)
        )
        for name, image, (_, more) in zip(names, maps, WIDE_CONVOLUTIONS, strict=True)
    ]
    model = with_uneven_norms(tf.keras.Model(maps, outputs))
    new, steps = rewritten(model)
    assert sorted(steps[WIDE].layers) == names
    file = converted(new)
    assert find_wide_kernels(file, model) == []
    assert export.verify(file, model, images_for(model)).passed
    audited = export.audit(file, model)
    assert (audited.binary, audited.lost) == (len(names), {})
    # The engine gets each wrong that is rewritten: else there is no need for it.
    assert wrong_outputs(model) == model.output_names


def test_what_is_not_wide_or_pads_with_ones_is_left_alone():
    for layer, size in [(binary(), (3, 3)), (binary(pad_values=1), (2, 2))]:
        model = behind(layer, size)
        assert WIDE not in rewritten(model)[1]
        assert right(model)
        assert find_wide_kernels(converted(model), model) == []


def test_turned_convolution_that_is_wide_is_padded_with_ones():
    image = tf.keras.Input((2, 2, 32))
    x = L.ZeroPadding2D(1)(lq.quantizers.SteSign()(image))
    x = lq.layers.QuantConv2D(8, 3, 2, kernel_quantizer="ste_sign", use_bias=False)(x)
    model = tf.keras.Model(image, x)
    new, steps = rewritten(model)
    assert WIDE in steps
    assert right(new, model)
    assert operators(new)["LceBconv2d"] == 1


def test_layer_padded_with_ones_can_be_copied():
    new, _ = rewritten(behind(binary(), (2, 2)))
    assert any(isinstance(layer, PaddedWithOnes) for layer in new.layers)
    copy = tf.keras.models.clone_model(new)
    copy.set_weights(new.get_weights())
    np.testing.assert_array_equal(copy(images_for(new)), new(images_for(new)))


def asleep(branch, size=(2, 2)):
    """A network with a branch that no image wakes, so that outputs cannot show what it computes."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((*size, 32))
    gate = L.ReLU()(L.GlobalAveragePooling2D(keepdims=True)(image) - 1000.0)
    x = L.Conv2D(8, 1, name="awake")(image) + gate[..., :8] * branch(image)
    return tf.keras.Model(image, L.Flatten()(x))


class Within(L.Layer):
    """A convolution of signs inside a layer that no rewriting looks into."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = binary(8, name="inner")

    def call(self, images):
        return self.inner(images)


def by_function(images):
    kernel = tf.constant(np.random.default_rng(0).choice([-1.0, 1.0], (3, 3, 32, 8)), tf.float32)
    return tf.nn.conv2d(lq.math.sign(images), kernel, 1, "SAME")


@pytest.mark.parametrize(
    ("branch", "named"),
    [
        (binary(8, name="conv"), "conv"),
        (Within(name="own"), "inner"),
        (by_function, None),
    ],
)
def test_verification_finds_wide_kernels_that_no_image_wakes(branch, named):
    model = asleep(branch)
    verification = export.verify(export.convert(model), model, images_for(model))
    assert verification.alike
    assert not verification.passed
    (wide,) = verification.wide
    assert wide == named or "3x3 on a map of 2x2" in wide


@pytest.mark.slow
def test_export_rewrites_what_sleeps_or_refuses_it_by_name():
    exported = export_network(source(asleep(binary(8, name="conv"))))
    assert [step.name for step in exported.steps][-1] == WIDE
    assert exported.verification.passed
    with pytest.raises(ExportError, match=r"computes inner wrongly, .* Pad with ones") as refused:
        export_network(source(asleep(Within(name="own"))))
    assert refused.value.exit_code == 1
    # Called as the file calls it, since it is of no layer.
    with pytest.raises(ExportError, match=r"computes \S+ \(3x3 on a map of 2x2\) wrongly"):
        export_network(source(asleep(by_function)))
