import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import compile_classifier, small_resnet
from tensorflow.python.summary.summary_iterator import summary_iterator

from recu_tf import metrics, schedules
from recu_tf.quantizers import ReCU

AXES = [-1, -2, (-2, -1)]


def normal(*shape):
    return np.random.default_rng(0).normal(0.3, 2.0, shape)


def in_filters(kernel, axis):
    """A kernel as rows, one for each output filter, in NumPy."""
    axes = sorted(a % kernel.ndim for a in np.atleast_1d(axis))
    filters = np.moveaxis(kernel, axes, range(len(axes)))
    return filters.reshape(int(np.prod(filters.shape[: len(axes)])), -1)


def standardized(kernel, axis):
    rows = in_filters(kernel, axis)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows * np.sqrt(8 / (rows.var(axis=1, ddof=1, keepdims=True) + 1e-5))


@pytest.mark.parametrize("axis", AXES)
def test_metrics_of_a_kernel_are_those_of_numpy(axis):
    kernel = normal(3, 3, 6, 5)
    rows = standardized(kernel, axis)
    limit = -np.abs(rows).mean() * np.log(2 - 2 * 0.9)
    scale = np.abs(rows).mean(axis=1, keepdims=True)
    lost = np.square(rows - scale * np.sign(rows)).sum() / np.square(rows).sum()
    p = (rows > 0).mean()
    entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    got = [
        metrics.dead_weights(kernel, 0.9, axis),
        metrics.quantization_error(kernel, axis),
        metrics.sign_entropy(kernel, axis),
    ]
    assert all(value.dtype == tf.float64 for value in got)
    np.testing.assert_allclose(got, [(np.abs(rows) > limit).mean(), lost, entropy], rtol=1e-12)


def test_known_distributions_have_the_values_of_the_docstrings():
    laplace = np.random.default_rng(1).laplace(size=(20_000, 4)).astype(np.float32)
    # 80 000 draws: the deviation of a share is below 0.002, and that of the others alike.
    assert metrics.dead_weights(laplace, 0.85).numpy() == pytest.approx(0.3, abs=0.01)
    assert metrics.quantization_error(laplace).numpy() == pytest.approx(0.5, abs=0.01)
    assert metrics.quantization_error(normal(20_000, 4)).numpy() == pytest.approx(
        1 - 2 / np.pi, abs=0.01
    )
    two_values = np.tile([[-0.7], [0.7]], [8, 3])
    assert metrics.quantization_error(two_values).numpy() == pytest.approx(0, abs=1e-12)
    assert metrics.sign_entropy(two_values) == 1


def test_quantization_error_does_not_depend_on_the_size_of_the_weights():
    kernel = normal(3, 3, 4, 8)
    error = metrics.quantization_error(kernel)
    # Not exactly: epsilon is added to every variance.
    assert metrics.quantization_error(100 * kernel).numpy() == pytest.approx(float(error), rel=1e-5)


def test_equal_weights_have_no_entropy_no_error_and_none_dead():
    kernel = np.ones((4, 3), np.float32)
    assert metrics.sign_entropy(kernel) == 0
    assert metrics.quantization_error(kernel) == 0
    assert metrics.dead_weights(kernel, 0.85) == 0


def test_nothing_is_dead_at_the_temperature_one():
    assert metrics.dead_weights(normal(3, 3, 2, 4), 1.0) == 0


def test_flipped_signs_are_counted():
    before = tf.constant([[1.0, -1.0], [1.0, 1.0]])
    assert metrics.flipped_signs(before, before) == 0
    assert metrics.flipped_signs(before, -before) == 1
    assert metrics.flipped_signs(before > 0, [[True, True], [True, True]]) == 0.25


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"`tau` must be a number in \(0.5, 1\], got 0.4"):
        metrics.dead_weights(normal(4, 3), 0.4)
    with pytest.raises(ValueError, match="`kernel` must be of a floating type, got int64"):
        metrics.sign_entropy(np.ones((4, 3), np.int64))
    with pytest.raises(ValueError, match="`kernel` must have at least 2 weights per output filter"):
        metrics.quantization_error(normal(1, 3))
    with pytest.raises(ValueError, match=r"`after` must have the shape .* \(2, 3\) .* got \(3,\)"):
        metrics.flipped_signs(np.ones((2, 3)), np.ones(3))


def data(model, images=8):
    generator = np.random.default_rng(2)
    x = generator.normal(size=(images, *model.input_shape[1:])).astype(np.float32)
    return x, generator.integers(0, model.output_shape[-1], images)


def fit(model, *callbacks, epochs=2, **kwargs):
    compile_classifier(model, tf.keras.optimizers.legacy.SGD(0.5))
    taus = schedules.TauScheduler(epochs)
    return model.fit(
        *data(model), epochs=epochs, verbose=0, callbacks=[taus, *callbacks], **kwargs
    ).history


class Kernels(tf.keras.callbacks.Callback):
    """Keeps the kernel of one layer at each of the moments that flips are counted between."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.values = []

    def on_train_begin(self, logs=None):
        self.values.append(self.model.get_layer(self.name).get_weights()[0].astype(np.float64))

    def on_epoch_end(self, epoch, logs=None):
        self.on_train_begin()


def test_diagnostics_measure_every_layer_after_every_epoch(tmp_path):
    model = small_resnet((8, 8, 3), 4)
    diagnostics, kernels = metrics.Diagnostics(tmp_path), Kernels("layer2.0.conv1")
    history = fit(model, diagnostics, kernels)
    names = [f"layer{stage}.0.conv{number}" for stage in (1, 2) for number in (1, 2)]
    assert sorted(diagnostics.layers) == names

    first, before, after = kernels.values
    values = diagnostics.layers["layer2.0.conv1"]
    tau = schedules.exponential_tau(1, 2)
    assert values["dead_weights"] == pytest.approx(float(metrics.dead_weights(after, tau)))
    # In float32, where these were taken, the sums of a kernel keep six digits.
    error = float(metrics.quantization_error(after))
    assert values["quantization_error"] == pytest.approx(error, rel=1e-5)
    assert values["sign_entropy"] == pytest.approx(float(metrics.sign_entropy(after)))
    signs = [standardized(kernel, -1) > 0 for kernel in (first, before, after)]
    assert values["flipped_signs"] == pytest.approx((signs[1] != signs[2]).mean())
    assert (signs[0] != signs[1]).any()

    for name in metrics.METRICS:
        mean = np.mean([values[name] for values in diagnostics.layers.values()])
        assert len(history[name]) == 2
        assert history[name][-1] == pytest.approx(mean)
        assert type(history[name][-1]) is float
    assert history["flipped_signs"][0] > 0

    written = {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for file in tmp_path.glob("*tfevents*")
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    assert len(written) == len(names) * len(metrics.METRICS) * 2
    assert written["diagnostics/dead_weights/layer2.0.conv1", 1] == values["dead_weights"]


def test_state_lets_a_resumed_training_count_the_same_flips():
    model = small_resnet((8, 8, 3), 4)
    stopped = metrics.Diagnostics()
    fit(model, stopped)
    state = stopped.get_state()
    assert all(bits.dtype == np.uint8 for bits in state.values())
    assert state["layer1.0.conv1"].size == 3 * 3 * 8 * 8 / 8
    resumed, afresh = metrics.Diagnostics(), metrics.Diagnostics()
    layer = model.get_layer("layer1.0.conv1")
    layer.set_weights([-layer.get_weights()[0], *layer.get_weights()[1:]])
    resumed.set_state(state)
    assert {name: bits.tolist() for name, bits in resumed.get_state().items()} == {
        name: bits.tolist() for name, bits in state.items()
    }
    fit(model, resumed, afresh, epochs=1)
    flips = [d.layers["layer1.0.conv1"]["flipped_signs"] for d in (resumed, afresh)]
    assert flips[0] > 0.5 > flips[1]
    same = [d.layers["layer1.0.conv2"] for d in (resumed, afresh)]
    assert same[0] == same[1]


def test_state_of_another_network_is_refused():
    diagnostics = metrics.Diagnostics()
    diagnostics.set_state({"conv": np.zeros(3, np.uint8)})
    with pytest.raises(ValueError, match=r"`state` must be that .* layer1.0.conv1, .* with conv"):
        fit(small_resnet((8, 8, 3), 4), diagnostics)


def test_kernels_of_nested_wrapped_and_depthwise_layers_are_found():
    def inner(name):
        x = tf.keras.Input((6, 6, 2))
        y = lq.layers.QuantConv2D(3, 3, kernel_quantizer=ReCU(), name="conv")(x)
        return tf.keras.Model(x, y, name=name)

    x = tf.keras.Input((2, 6, 6, 2))
    y = tf.keras.layers.TimeDistributed(inner("first"))(x)
    y = tf.keras.layers.Reshape((8, 4, 3))(y)
    y = lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer=ReCU(axis=(-2, -1)), name="depth")(y)
    y = lq.layers.QuantConv2D(2, 1, kernel_quantizer="ste_sign", kernel_constraint="weight_clip")(y)
    y = tf.keras.layers.Reshape((6, 2, 2))(y)
    y = tf.keras.layers.UpSampling2D((1, 3))(y)
    y = tf.keras.layers.Flatten()(inner("second")(y))
    model = tf.keras.Model(x, y)
    diagnostics = metrics.Diagnostics()
    fit(model, diagnostics, epochs=1)
    assert sorted(diagnostics.layers) == ["conv", "conv#2", "depth.depthwise_kernel"]


def test_model_without_recu_is_left_alone():
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    compile_classifier(model, "sgd")
    diagnostics = metrics.Diagnostics()
    history = model.fit(*data(model), verbose=0, callbacks=[diagnostics]).history
    assert set(history) == {"loss", "accuracy", "top_5"}
    assert (diagnostics.layers, diagnostics.get_state()) == ({}, {})


def test_model_that_is_not_built_is_refused():
    model = tf.keras.Sequential([lq.layers.QuantDense(2, kernel_quantizer=ReCU(), name="dense")])
    compile_classifier(model, "sgd")
    with pytest.raises(ValueError, match=r"`model` must be built .* layer 'dense' that"):
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0, callbacks=[metrics.Diagnostics()])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_replicas_and_mixed_precision_measure_the_float32_kernels(precision):
    tf.keras.mixed_precision.set_global_policy(precision)
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = small_resnet((8, 8, 3), 4)
    diagnostics, kernels = metrics.Diagnostics(), Kernels("layer1.0.conv1")
    with strategy.scope():
        fit(model, diagnostics, kernels, epochs=1)
    values = diagnostics.layers["layer1.0.conv1"]
    error = float(metrics.quantization_error(kernels.values[-1]))
    assert values["quantization_error"] == pytest.approx(error, rel=1e-5)
    signs = [standardized(kernel, -1) > 0 for kernel in kernels.values]
    assert values["flipped_signs"] == pytest.approx((signs[0] != signs[1]).mean())
