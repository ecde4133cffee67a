import logging

import larq as lq
import numpy as np
import oracles
import pytest
import tensorflow as tf
from conftest import assert_close, keras_layout, nhwc, shared

from recu_tf.quantizers import (
    ReCU,
    StandardizedApproxSign,
    recu,
    standardize_kernel,
    standardized_approx_sign,
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


@pytest.fixture(params=["eager", "function", "xla"])
def compiled(request):
    if request.param == "eager":
        return lambda function: function
    return lambda function: tf.function(function, jit_compile=request.param == "xla")


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
    function = compiled(lambda kernel: recu(kernel, tau))
    binary, got = value_and_gradient(function, kernel, keras_layout(upstream))
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
    binary, got = value_and_gradient(compiled(lambda k: recu(k, tau)), kernel, upstream)
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
    _, got = value_and_gradient(standardized_approx_sign, activations, upstream)
    _, gradient = oracles.standardized_approx_sign(
        tf.cast(activations, "float64").numpy(), upstream
    )
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
    with pytest.raises(ValueError, match="`kernel` must be of a floating type, got int32"):
        recu(tf.ones((3, 2), tf.int32), 0.9)
    with pytest.raises(ValueError, match="`activations` must be of a floating type, got int32"):
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


def small_network():
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            lq.layers.QuantConv2D(
                8, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
            ),
            tf.keras.layers.Flatten(),
            lq.layers.QuantDense(
                4, kernel_quantizer=ReCU(0.9), input_quantizer=StandardizedApproxSign()
            ),
        ]
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16", "float64"])
def test_quantizers_work_in_larq_layers_under_every_policy(policy):
    tf.keras.mixed_precision.set_global_policy(policy)
    model = small_network()
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 3))
    labels = np.arange(16) % 4
    model.compile(
        tf.keras.optimizers.Adam(0.01),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before = model.layers[0].get_weights()[0]
    history = model.fit(images, labels, epochs=6, verbose=0).history["loss"]
    assert model.layers[0].kernel_quantizer.tau.dtype == tf.float32
    assert history[-1] < history[0]
    assert not np.array_equal(before, model.layers[0].get_weights()[0])
    with lq.context.quantized_scope(True):
        assert set(np.unique(model.layers[0].get_weights()[0])) == {-1, 1}


@pytest.mark.parametrize("suffix", ["", ".keras", ".h5", "weights.h5", "weights", "checkpoint"])
def test_tau_survives_every_saving_format(suffix, tmp_path):
    model = small_network()
    model.layers[0].kernel_quantizer.tau.assign(0.93)
    model.layers[2].kernel_quantizer.tau.assign(0.97)
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    expected = model(images)
    path = str(tmp_path / f"model{suffix}")
    if suffix.startswith("weights"):
        model.save_weights(path)
        loaded = small_network()
        loaded.load_weights(path)
    elif suffix == "checkpoint":
        loaded = small_network()
        tf.train.Checkpoint(loaded).restore(tf.train.Checkpoint(model).save(path))
    else:
        model.save(path)
        loaded = tf.keras.models.load_model(path)
    assert loaded.layers[0].kernel_quantizer.tau.numpy() == np.float32(0.93)
    assert loaded.layers[2].kernel_quantizer.tau.numpy() == np.float32(0.97)
    np.testing.assert_array_equal(loaded(images), expected)


def test_config_holds_the_temperature_as_it_is_now():
    quantizer = ReCU(0.85, axis=(-2, -1))
    assert quantizer.get_config()["tau"] == 0.85
    quantizer.tau.assign(0.9123)
    copy = ReCU.from_config(quantizer.get_config())
    assert copy.tau.numpy() == quantizer.tau.numpy()
    assert copy.axis == (-2, -1)


def test_summary_counts_one_bit_kernels(capsys):
    lq.models.summary(small_network())
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if "quant_conv2d" in line)
    # 3x3x3x8 = 216 binary weights of 1 bit, 8 biases and tau of 32.
    assert "216" in row
    assert "1-bit" in printed


def test_larq_gives_its_kernel_constraint_advice_only_for_others(caplog):
    with caplog.at_level(logging.WARNING):
        small_network()
        lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer=ReCU(axis=(-2, -1)))
        assert not caplog.records
        lq.layers.QuantConv2D(8, 3, kernel_quantizer="ste_sign")
        lq.layers.QuantSeparableConv2D(
            8, 3, depthwise_quantizer=ReCU(axis=(-2, -1)), pointwise_quantizer="ste_sign"
        )
    assert [("kernel" in r.message, "pointwise" in r.message) for r in caplog.records] == [
        (True, False),
        (False, True),
    ]


def test_tau_is_not_frozen_into_traced_graphs():
    quantizer = ReCU(0.6)
    kernel = tf.random.normal((3, 3, 4, 5))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_sum(quantizer(kernel) * tf.range(5.0))
        return tape.gradient(loss, kernel)

    first = gradient()
    quantizer.tau.assign(1.0)
    assert np.abs(gradient() - first).max() > 1e-3


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
