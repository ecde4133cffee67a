import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import compile_classifier
from oracles import standardize
from tensorflow.python.summary.summary_iterator import summary_iterator

from recu_tf import metrics, schedules
from recu_tf.quantizers import ReCU


def small_network():
    """Two binary convolutions and a classifier: what the callback looks at, and little else."""
    return tf.keras.Sequential(
        [
            tf.keras.Input((6, 6, 3)),
            lq.layers.QuantConv2D(8, 3, kernel_quantizer="recu", name="first"),
            lq.layers.QuantConv2D(4, 3, kernel_quantizer="recu", name="second"),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(4, dtype="float32"),
        ]
    )


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
    model = small_network()
    diagnostics, kernels = metrics.Diagnostics(tmp_path), Kernels("second")
    history = fit(model, diagnostics, kernels)
    names = ["first", "second"]
    assert sorted(diagnostics.layers) == names

    first, before, after = kernels.values
    values = diagnostics.layers["second"]
    tau = schedules.exponential_tau(1, 2)
    assert values["dead_weights"] == pytest.approx(float(metrics.dead_weights(after, tau)))
    # In float32, where these were taken, the sums of a kernel keep six digits.
    error = float(metrics.quantization_error(after))
    assert values["quantization_error"] == pytest.approx(error, rel=1e-5)
    assert values["sign_entropy"] == pytest.approx(float(metrics.sign_entropy(after)))
    signs = [standardize(kernel, -1) > 0 for kernel in (first, before, after)]
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
    assert written["diagnostics/dead_weights/second", 1] == values["dead_weights"]


def test_state_lets_a_resumed_training_count_the_same_flips():
    model = small_network()
    stopped = metrics.Diagnostics()
    fit(model, stopped)
    state = stopped.get_state()
    assert all(bits.dtype == np.uint8 for bits in state.values())
    assert state["first"].size == 3 * 3 * 3 * 8 / 8
    resumed, afresh = metrics.Diagnostics(), metrics.Diagnostics()
    layer = model.get_layer("first")
    layer.set_weights([-layer.get_weights()[0], *layer.get_weights()[1:]])
    resumed.set_state(state)
    assert {name: bits.tolist() for name, bits in resumed.get_state().items()} == {
        name: bits.tolist() for name, bits in state.items()
    }
    fit(model, resumed, afresh, epochs=1)
    flips = [d.layers["first"]["flipped_signs"] for d in (resumed, afresh)]
    assert flips[0] > 0.5 > flips[1]
    same = [d.layers["second"] for d in (resumed, afresh)]
    assert same[0] == same[1]


def test_state_of_another_network_is_refused():
    diagnostics = metrics.Diagnostics()
    diagnostics.set_state({"conv": np.zeros(3, np.uint8)})
    with pytest.raises(ValueError, match=r"`state` must come from .* first, second, .* with conv,"):
        fit(small_network(), diagnostics)


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
    with pytest.raises(ValueError, match=r"`model` must be built, .* layer 'dense' has no"):
        model.fit(np.ones((4, 3)), np.ones(4), verbose=0, callbacks=[metrics.Diagnostics()])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_replicas_and_mixed_precision_measure_the_float32_kernels(precision):
    tf.keras.mixed_precision.set_global_policy(precision)
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = small_network()
    diagnostics, kernels = metrics.Diagnostics(), Kernels("first")
    with strategy.scope():
        fit(model, diagnostics, kernels, epochs=1)
    values = diagnostics.layers["first"]
    error = float(metrics.quantization_error(kernels.values[-1]))
    assert values["quantization_error"] == pytest.approx(error, rel=1e-5)
    signs = [standardize(kernel, -1) > 0 for kernel in kernels.values]
    assert values["flipped_signs"] == pytest.approx((signs[0] != signs[1]).mean())
