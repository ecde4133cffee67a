import functools

import numpy as np
import oracles
import pytest
import tensorflow as tf
from conftest import assert_close, shared
from layouts import keras_layout, nhwc

from recu_tf.quantizers import (
    ReCU,
    StandardizedSteSign,
    recu,
    standardize_kernel,
    standardized_approx_sign,
    standardized_ste_sign,
    threshold,
)

WEIGHT_CASES = [
    f"{kind}_tau{tau}" for kind in ("normal", "laplace") for tau in ("0.85", "0.9", "0.99", "1.0")
] + ["outliers", "shifted", "tiny", "pointwise"]
ACTIVATION_CASES = ["normal", "wide", "narrow", "hardtanh", "constant"]


def value_and_gradient(function, x, upstream):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y.numpy(), tape.gradient(y, x, tf.cast(upstream, y.dtype)).numpy()


@functools.cache
def compile_function(function, jit_compile):
    """Compiled for each shape and dtype once, not for every test."""
    return tf.function(function, jit_compile=jit_compile)


@pytest.fixture(params=["eager", "function", "xla"])
def compiled(request):
    if request.param == "eager":
        return lambda function: function
    return functools.partial(compile_function, jit_compile=request.param == "xla")


def test_every_published_case_is_tested():
    for file, cases in (("weights", WEIGHT_CASES), ("activations", ACTIVATION_CASES)):
        vectors = np.load(shared("reference", f"{file}.npz"))
        assert {name.split("/")[0] for name in vectors.files} == set(cases)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", WEIGHT_CASES)
def test_recu_matches_the_published_implementation(case, dtype, compiled):
    vectors = np.load(shared("reference", "weights.npz"))
    weight, tau, q, clamped, sign, upstream, gradient = (
        vectors[f"{case}/{name}"]
        for name in ("weight", "tau", "q_tau", "clamped", "sign", "grad_out", "grad_in")
    )
    kernel = keras_layout(weight).astype(dtype)
    function = compiled(recu)
    binary, got = value_and_gradient(lambda k: function(k, tau), kernel, keras_layout(upstream))
    assert binary.dtype == got.dtype == dtype
    np.testing.assert_array_equal(binary, keras_layout(sign))
    assert_close(got, keras_layout(gradient))
    standardized = standardize_kernel(kernel)
    np.testing.assert_allclose(threshold(standardized, tau), q, rtol=1e-5)
    assert_close(np.clip(standardized, -q, q), keras_layout(clamped))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ACTIVATION_CASES)
def test_activations_match_the_published_implementation(case, dtype, compiled):
    vectors = np.load(shared("reference", "activations.npz"))
    values, sign, upstream, gradient = (
        nhwc(vectors[f"{case}/{name}"]) for name in ("input", "sign", "grad_out", "grad_in")
    )
    function = compiled(standardized_approx_sign)
    binary, got = value_and_gradient(function, values.astype(dtype), upstream)
    assert binary.dtype == got.dtype == dtype
    np.testing.assert_array_equal(binary, sign)
    assert_close(got, gradient)


@pytest.mark.parametrize("shape", [(40, 6), (5, 4, 6), (3, 3, 4, 6), (2, 3, 3, 4, 6)])
@pytest.mark.parametrize("tau", [0.6, 0.85, 0.99, 1.0])
def test_recu_matches_the_oracle_for_every_rank(shape, tau, compiled):
    rng = np.random.default_rng(len(shape))
    kernel, upstream = rng.normal(0.1, 0.3, shape), rng.normal(size=shape)
    sign, gradient = oracles.recu(kernel, tau, upstream)
    function = compiled(recu)
    # A tensor of the temperature: a Python number would be compiled into the function.
    binary, got = value_and_gradient(lambda k: function(k, np.float64(tau)), kernel, upstream)
    np.testing.assert_array_equal(binary, sign)
    assert_close(got, gradient, 1e-12)


@pytest.mark.parametrize("shape", [(4, 30), (4, 9, 5), (4, 6, 6, 3), (2, 4, 4, 4, 3)])
def test_activations_match_the_oracle_for_every_rank(shape, compiled):
    rng = np.random.default_rng(len(shape))
    values, upstream = rng.normal(0.2, 1.5, shape), rng.normal(size=shape)
    sign, gradient = oracles.standardized_approx_sign(values, upstream)
    binary, got = value_and_gradient(compiled(standardized_approx_sign), values, upstream)
    np.testing.assert_array_equal(binary, sign)
    assert_close(got, gradient, 1e-12)


@pytest.mark.parametrize("shape", [(4, 30), (4, 6, 6, 3)])
@pytest.mark.parametrize("clip_value", [1, 1.5, float("inf")])
def test_wide_gradient_matches_the_oracle(shape, clip_value):
    rng = np.random.default_rng(len(shape))
    values, upstream = rng.normal(0.2, 1.5, shape), rng.normal(size=shape)
    sign, gradient = oracles.standardized_ste_sign(values, upstream, clip_value)
    binary, got = value_and_gradient(
        lambda a: standardized_ste_sign(a, clip_value), values, upstream
    )
    np.testing.assert_array_equal(binary, sign)
    assert_close(got, gradient, 1e-12)


@pytest.mark.parametrize("clip_value", [0, -1.5, float("nan"), "wide", None, True])
def test_clip_value_that_lets_nothing_pass_is_refused(clip_value):
    with pytest.raises(ValueError, match="`clip_value` must be a number above 0, got"):
        StandardizedSteSign(clip_value)
    with pytest.raises(ValueError, match="`clip_value` must be a number above 0, got"):
        standardized_ste_sign(tf.ones((3, 2)), clip_value)


@pytest.mark.parametrize(
    ("axis", "order"), [(-2, (0, 1, 3, 2)), ((-2, -1), None), (0, (1, 2, 3, 0))]
)
def test_axis_says_where_the_filters_are(axis, order):
    rng = np.random.default_rng(0)
    kernel, upstream = rng.normal(size=(3, 5, 4, 2)), rng.normal(size=(3, 5, 4, 2))
    binary, got = value_and_gradient(lambda k: recu(k, 0.85, axis), kernel, upstream)
    if order is None:
        last = [array.reshape(3, 5, 8) for array in (kernel, upstream, binary, got)]
    else:
        last = [np.transpose(array, order) for array in (kernel, upstream, binary, got)]
    sign, gradient = oracles.recu(last[0], 0.85, last[1])
    np.testing.assert_array_equal(last[2], sign)
    assert_close(last[3], gradient, 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_have_float32_statistics(dtype):
    rng = np.random.default_rng(0)
    kernel = tf.cast(rng.normal(0, 1e-3, (3, 3, 8, 4)), dtype)
    # Values whose squares do not fit into float16.
    activations = tf.cast(rng.normal(0, 600, (2, 5, 5, 8)), dtype)
    upstream = rng.normal(size=(3, 3, 8, 4)).astype("float32")
    binary, got = value_and_gradient(lambda k: recu(k, 0.85), kernel, upstream)
    sign, gradient = oracles.recu(tf.cast(kernel, "float64").numpy(), 0.85, upstream)
    assert binary.dtype == got.dtype == tf.as_dtype(dtype).as_numpy_dtype
    np.testing.assert_array_equal(binary, sign)
    # The gradients themselves are rounded to 8 or 11 bits, and so is what comes in.
    tolerance = 1e-2 if dtype == "bfloat16" else 2e-3
    assert_close(got.astype("float64"), gradient, tolerance)
    upstream = rng.normal(size=activations.shape).astype("float32")
    values = tf.cast(activations, "float64").numpy()
    _, got = value_and_gradient(standardized_approx_sign, activations, upstream)
    _, gradient = oracles.standardized_approx_sign(values, upstream)
    assert_close(got.astype("float64"), gradient, tolerance)
    _, got = value_and_gradient(standardized_ste_sign, activations, upstream)
    _, gradient = oracles.standardized_ste_sign(values, upstream, 1.5)
    assert_close(got.astype("float64"), gradient, tolerance)


def test_zero_becomes_plus_one():
    assert recu(tf.zeros((2, 2)), 0.9).numpy().tolist() == [[1, 1], [1, 1]]
    assert standardized_approx_sign(tf.constant([[0.0, -1.0]])).numpy().tolist() == [[1, -1]]


@pytest.mark.parametrize(
    "tau", [0.5, 0.0, -1, 1.01, float("nan"), float("inf"), "high", None, True]
)
def test_tau_out_of_range_is_refused(tau):
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0\.5, 1\], got"):
        ReCU(tau)
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0\.5, 1\], got"):
        recu(tf.ones((3, 2)), tau)


def test_tau_of_a_variable_is_checked_when_eager():
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0\.5, 1\], got"):
        recu(tf.ones((3, 2)), tf.Variable(0.3))
    quantizer = ReCU()
    quantizer.tau.assign(float("nan"))
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0\.5, 1\], got"):
        quantizer(tf.ones((3, 2)))


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="`kernel` must have a floating dtype, got int32"):
        recu(tf.ones((3, 2), tf.int32), 0.9)
    with pytest.raises(ValueError, match="`activations` must have a floating dtype, got int32"):
        standardized_approx_sign(tf.ones((3, 2), tf.int32))


@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 1, 8)])
def test_single_weight_per_filter_is_refused(shape):
    with pytest.raises(ValueError, match=r"`kernel` must have at least 2 weights.*got shape"):
        ReCU()(tf.ones(shape))


def test_wrong_axes_and_ranks_are_refused():
    with pytest.raises(ValueError, match=r"`axis` must name axes of the kernel.*got 4"):
        recu(tf.ones((3, 3, 4, 2)), 0.9, axis=4)
    with pytest.raises(ValueError, match=r"`kernel` must have a fixed shape of rank 2 or more"):
        recu(tf.ones(3), 0.9)
    with pytest.raises(ValueError, match=r"`activations` must have shape \(batch, ...\)"):
        standardized_approx_sign(tf.ones((4, 1)))


@pytest.mark.parametrize("function", [lambda x: recu(x, 0.85), standardized_approx_sign])
def test_gradients_wait_for_what_comes_from_upstream(function):
    @tf.function
    def gradient(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x, upstream)

    spec = tf.TensorSpec((3, 3, 4, 5))
    graph = gradient.get_concrete_function(spec, spec).graph
    magnitudes = [op for op in graph.get_operations() if op.type == "Abs"]
    assert magnitudes
    for op in magnitudes:  # of the inputs alone, so only an order given can hold them back
        before, queue = set(), [op]
        while queue:
            op = queue.pop()
            sources = [tensor.op for tensor in op.inputs] + list(op.control_inputs)
            queue += [source for source in sources if source.name not in before]
            before |= {source.name for source in sources}
        assert graph.inputs[1].op.name in before
