import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from delegates import run_images
from larq_models import SIGNS
from model_sources import source
from rewritten import converted, images_for, rewritten, with_uneven_norms

import export
from export import runtime
from export.runtime.external_delegate import PATH
from export.tflite.interpreter import run_all

L = tf.keras.layers
Q = lq.layers
MADE = "make binary layers convolutions of images"
RECU = {"input_quantizer": "standardized_approx_sign", "kernel_quantizer": "recu"}
SCALED = {"input_quantizer": "ste_sign", "kernel_quantizer": "magnitude_aware_sign"}
NORM = L.BatchNormalization


def separable(kernel="ste_sign", **options):
    quantizers = {"depthwise_quantizer": kernel, "pointwise_quantizer": kernel}
    return {"input_quantizer": "ste_sign", **quantizers, **options}


def dense_layers():
    image = tf.keras.Input((4, 4, 10))
    x = NORM()(Q.QuantConv2D(32, 3, padding="same", name="first", **SIGNS)(image))
    x = NORM()(Q.QuantDense(37, use_bias=False, name="behind_flatten", **SIGNS)(L.Flatten()(x)))
    x = NORM()(Q.QuantDense(50, activation="relu", name="recu", **RECU)(x))
    x = Q.QuantDense(11, bias_initializer="normal", name="scaled", **SCALED)(x)
    return tf.keras.Model(image, L.Dense(5)(x))


def sequence():
    image = tf.keras.Input((24, 10))
    x = NORM()(L.Conv1D(40, 3)(image))
    y = Q.QuantConv1D(40, 3, padding="same", use_bias=False, name="same", **SIGNS)(x)
    x = L.Add()([x, NORM()(y)])
    options = {"activation": "relu", "bias_initializer": "normal", **RECU}
    y = Q.QuantConv1D(40, 3, padding="causal", dilation_rate=2, name="causal", **options)(x)
    x = NORM()(L.MaxPooling1D(2)(L.Add()([x, NORM()(y)])))
    options = {"strides": 2, "padding": "same", "pad_values": 1, **SCALED}
    x = NORM()(Q.QuantConv1D(64, 4, name="strided", **options)(x))
    x = NORM()(Q.QuantConv1D(64, 7, padding="same", name="wide", **SIGNS)(x))
    x = Q.QuantDense(16, name="pixelwise", **SIGNS)(x)
    x = Q.QuantSeparableConv1D(16, 3, padding="causal", name="separable", **separable("recu"))(x)
    x = L.Flatten()(lq.quantizers.SteSign(name="signs")(x))
    signs = lq.quantizers.NoOp(precision=1)
    x = Q.QuantDense(16, input_quantizer=signs, kernel_quantizer="ste_sign", name="last")(x)
    return tf.keras.Model(image, L.Dense(5)(x))


def separable_layers():
    image = tf.keras.Input((9, 9, 12))
    scaled = separable("magnitude_aware_sign")
    x = NORM()(Q.QuantSeparableConv2D(24, 3, padding="same", name="scaled", **scaled)(image))
    options = {"strides": 2, "depth_multiplier": 2, "bias_initializer": "normal"}
    x = NORM()(Q.QuantSeparableConv2D(33, 3, name="two", **options, **separable("recu"))(x))
    options = {"padding": "same", "pad_values": 1, **separable()}
    x = NORM()(Q.QuantSeparableConv2D(33, 2, name="ones", **options)(x))
    return tf.keras.Model(image, L.Flatten()(Q.QuantDense(7, name="pixelwise", **SIGNS)(x)))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (dense_layers, {"behind_flatten", "recu", "scaled"}),
        (sequence, {"same", "causal", "strided", "wide", "pixelwise", "separable", "last"}),
        (separable_layers, {"scaled", "two", "ones", "pixelwise"}),
    ],
)
def test_layers_become_binary_convolutions_that_compute_the_same(make, names):
    tf.keras.utils.set_random_seed(0)
    model = with_uneven_norms(make())
    new, steps = rewritten(model)
    assert set(steps[MADE].layers) == names
    file, images = converted(new), images_for(model)
    audited = export.audit(file, model)
    assert audited.lost == {}
    assert names <= set(audited.expected)
    assert names <= {row.layer for row in audited.rows if row.operator == "LceBconv2d"}
    assert audited.binary == len(audited.expected)
    kinds = {row.operator for row in audited.rows if row.layer in audited.expected}
    assert not kinds & {"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"}
    assert export.verify(file, model, images, converted=new).passed
    if PATH.exists():
        (expected,) = run_all(file, images)
        (got,) = run_images(runtime.load(file), images)
        # Sums of bits are exact; the float layers add up in another order.
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


STRIDED = {"strides": 2, "padding": "same", "use_bias": False}


def test_windows_of_strided_layers_are_matched():
    tf.keras.utils.set_random_seed(0)
    image, plain = tf.keras.Input((8, 8, 5)), tf.keras.Input((8, 5))
    layers = [
        (image, Q.QuantSeparableConv2D(4, 3, **STRIDED, **separable())),
        (plain, Q.QuantSeparableConv1D(4, 3, **STRIDED, **separable())),
        (plain, Q.QuantConv1D(4, 3, **STRIDED, **SIGNS)),
        (plain, Q.QuantConv1D(4, 3, pad_values=1, **STRIDED, **SIGNS)),
    ]
    model = tf.keras.Model([image, plain], [layer(inputs) for inputs, layer in layers])
    file = converted(rewritten(model)[0])
    verification = export.verify(file, model, images_for(model))
    assert verification.shifted == ()
    assert verification.passed


@pytest.mark.slow
def test_bits_stay_packed_from_dense_layer_to_dense_layer():
    tf.keras.utils.set_random_seed(0)
    model = with_uneven_norms(dense_layers())
    rows = export.audit(converted(rewritten(model)[0]), model).rows
    packed = {row.layer for row in rows if row.operator == "LceBconv2d" and row.packed_output}
    assert packed == {"behind_flatten", "recu"}
    # No shape is changed, and no batch norm is computed by itself.
    assert {row.operator for row in rows} == {"LceQuantize", "LceBconv2d", "FULLY_CONNECTED"}


def test_map_of_few_channels_is_read_as_a_row():
    image = tf.keras.Input((8, 8, 3))
    new, _ = rewritten(
        tf.keras.Model(image, Q.QuantDense(4, name="row", **SIGNS)(L.Flatten()(image)))
    )
    assert new.get_layer("row").kernel.shape == (1, 1, 192, 4)


def behind(*layers, shape=(6, 32)):
    image = x = tf.keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return tf.keras.Model(image, x)


@pytest.mark.parametrize(
    "layer",
    [
        Q.QuantDense(4, kernel_quantizer="ste_sign"),
        Q.QuantDense(4, input_quantizer="ste_sign"),
        Q.QuantDense(4, input_quantizer="dorefa_quantizer", kernel_quantizer="ste_sign"),
        Q.QuantDense(4, input_quantizer="ste_sign", kernel_quantizer="ste_tern"),
        Q.QuantConv1D(4, 3, groups=2, **SIGNS),
    ],
)
def test_layers_that_are_not_binary_stay_as_they_are(layer):
    model = behind(layer)
    new, steps = rewritten(model)
    assert MADE not in steps
    assert type(new.layers[-1]) is type(layer)


def test_dense_layer_whose_input_is_not_quantized_is_shown_in_float32():
    model = behind(Q.QuantDense(4, kernel_quantizer="ste_sign", name="dense"), L.Flatten())
    audited = export.audit(converted(rewritten(model)[0]), model)
    assert audited.expected == ()
    kinds = {row.kind for row in audited.rows if row.layer == "dense"}
    assert kinds == {"float32"}


def test_layer_that_stays_in_float_is_named_with_the_reason():
    model = behind(Q.QuantConv1D(4, 3, groups=2, name="grouped", **SIGNS), shape=(6, 8))
    audited = export.audit(converted(rewritten(model)[0]), model)
    assert "it has 4 input channels in each of its 2 groups" in audited.lost["grouped"]


def test_layer_in_a_file_that_was_not_rewritten_is_named_with_what_to_do():
    model = behind(Q.QuantDense(4, name="dense", **SIGNS))
    reason = "binary form of QuantDense; `export.rewrite` makes a convolution of it"
    assert reason in export.audit(converted(model), model).lost["dense"]


def test_dense_layers_act_on_the_last_axis_of_any_number():
    tf.keras.utils.set_random_seed(0)
    dense = Q.QuantDense(4, **SIGNS)
    for shape in [(6,), (5, 6), (4, 5, 6), (3, 4, 5, 6)]:
        image = tf.keras.Input(shape)
        new, steps = rewritten(tf.keras.Model(image, dense(image)))
        assert MADE in steps
        assert new.output_shape == (None, *shape[:-1], 4)


def test_layer_that_is_called_twice_stays_one_layer():
    tf.keras.utils.set_random_seed(0)
    shared = Q.QuantDense(8, name="shared", **SIGNS)
    norm = NORM()
    image = tf.keras.Input((8,))
    model = tf.keras.Model(image, shared(norm(shared(image))))
    new, steps = rewritten(model)
    assert steps[MADE].layers == ("shared",)
    assert len(new.weights) == len(model.weights)


def test_value_is_reshaped_only_where_something_needs_it():
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((6, 32))
    x = L.ReLU()(NORM()(Q.QuantConv1D(32, 3, padding="same", name="one", **SIGNS)(image)))
    y = L.Dropout(0.5)(Q.QuantConv1D(32, 3, padding="same", name="two", **SIGNS)(x))
    model = tf.keras.Model(image, [L.Add()([x, y]), L.Permute((2, 1))(x)])
    new, _ = rewritten(model)
    shapes = [layer.name for layer in new.layers if isinstance(layer, L.Reshape)]
    add = next(layer.name for layer in model.layers if isinstance(layer, L.Add))
    relu = next(layer.name for layer in model.layers if isinstance(layer, L.ReLU))
    assert sorted(shapes) == sorted(["one.map", f"{relu}.flat", f"{add}.flat"])
    assert new.output_names == model.output_names


def test_layers_of_models_within_are_replaced():
    tf.keras.utils.set_random_seed(0)
    inner = behind(Q.QuantDense(8, name="dense", **SIGNS), shape=(8,))
    model = behind(inner, Q.QuantDense(4, name="dense", **SIGNS), shape=(8,))
    assert rewritten(model)[1][MADE].layers == ("dense", "dense")


@pytest.mark.slow
def test_export_counts_dense_layers_among_those_that_should_be_binary():
    tf.keras.utils.set_random_seed(0)
    exported = export.export_network(
        source(with_uneven_norms(dense_layers())), export.Options(strict=True)
    )
    assert "Binary convolutions: 4 of 4" in str(exported.audit)
    assert exported.verification.passed
