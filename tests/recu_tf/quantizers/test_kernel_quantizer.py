import logging

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from recu_tf.quantizers import ReCU, StandardizedSteSign


def small_network():
    return tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            lq.layers.QuantConv2D(
                8, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
            ),
            tf.keras.layers.Flatten(),
            lq.layers.QuantDense(
                4, kernel_quantizer=ReCU(0.9), input_quantizer=StandardizedSteSign(2.5)
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
