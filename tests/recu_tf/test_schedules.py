import json
import math

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import need, shared

from recu_tf.quantizers import ReCU
from recu_tf.schedules import (
    LearningRateScheduler,
    TauScheduler,
    exponential_tau,
    learning_rate,
)


def test_schedules_match_the_published_implementation():
    for case in json.loads(shared("reference", "schedules.json").read_text()):
        epochs = case["epochs"]
        rates = [
            learning_rate(
                epoch,
                epochs,
                lr=case["lr"],
                lr_type=case["lr_type"],
                warm_up=case["warm_up"],
                lr_decay_step=case["lr_decay_step"] or (),
            )
            for epoch in range(epochs)
        ]
        taus = [
            exponential_tau(epoch, epochs, case["tau_min"], case["tau_max"])
            for epoch in range(epochs)
        ]
        np.testing.assert_allclose(rates, case["lr_per_epoch"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(taus, case["tau_per_epoch"], rtol=0, atol=1e-6)


def test_tau_runs_from_its_minimum_to_its_maximum():
    assert exponential_tau(0, 10, 0.8, 0.95) == pytest.approx(0.8)
    assert exponential_tau(10, 10, 0.8, 0.95) == pytest.approx(0.95)


@pytest.mark.parametrize("lr_type", ["cos", "linear", "step"])
def test_warm_up_joins_the_schedule_at_its_start(lr_type):
    schedule = {"lr": 0.4, "lr_type": lr_type, "warm_up": True, "lr_decay_step": (10,)}
    rates = [learning_rate(epoch, 30, **schedule) for epoch in range(30)]
    np.testing.assert_allclose(rates[:5], [0.08, 0.16, 0.24, 0.32, 0.4])
    assert rates[5] <= 0.4
    assert rates[13] > rates[14]  # the step of 10 epochs after the warm-up's last
    assert min(rates) >= 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((11, 10), r"`epoch` must lie in 0 \.\.\. epochs = 10, got 11"),
        ((0, 0), "`epochs` must be at least 1, got 0"),
        ((0, 10, 0.5), r"`tau_min` must lie in \(0\.5, 1\], got 0\.5"),
        ((0, 10, 0.9, 1.1), r"`tau_max` must lie in \(0\.5, 1\], got 1\.1"),
        ((0, 10, math.nan), r"`tau_min` must lie in"),
        ((0, 10, 0.95, 0.9), "`tau_min` must not exceed `tau_max`"),
    ],
)
def test_impossible_tau_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        exponential_tau(*arguments)


def test_impossible_learning_rate_schedules_are_refused():
    allowed = "cos, step, linear, one_cycle, one_cycle_quadratic"
    with pytest.raises(ValueError, match=f"`lr_type` must be one of {allowed}, got 'poly'"):
        learning_rate(0, 10, lr_type="poly")
    with pytest.raises(ValueError, match="`lr_decay_step` must name at least one epoch"):
        learning_rate(0, 10, lr_type="step")
    with pytest.raises(ValueError, match="`warm_up` must be False for one_cycle"):
        learning_rate(0, 10, lr_type="one_cycle", warm_up=True)


def test_quadratic_one_cycle_rises_like_the_other_and_is_a_quarter_half_way_down():
    schedule = {"epochs": 20, "lr": 0.4, "lr_type": "one_cycle_quadratic"}
    for epoch in (0, 0.5, 2):
        rate = learning_rate(epoch, 20, lr=0.4, lr_type="one_cycle")
        assert learning_rate(epoch, **schedule) == pytest.approx(rate)
    assert learning_rate(11, **schedule) == pytest.approx(0.4 / 4)
    assert learning_rate(20, **schedule) == 0


def test_one_cycle_rises_for_a_tenth_and_falls_to_zero():
    rates = [learning_rate(step / 10, 20, lr=0.4, lr_type="one_cycle") for step in range(201)]
    assert rates[0] == pytest.approx(0.4 / 20)
    assert rates[10] == pytest.approx((0.4 + 0.4 / 20) / 2)
    assert rates[20] == max(rates) == pytest.approx(0.4)
    assert rates[110] == pytest.approx(0.2)  # half way down
    assert rates[200] == pytest.approx(0, abs=1e-12)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def nested_model():
    inner = tf.keras.Sequential(
        [tf.keras.Input((6, 6, 3)), lq.layers.QuantConv2D(4, 3, kernel_quantizer="recu")]
    )
    inputs = tf.keras.Input((2, 6, 6, 3))
    x = tf.keras.layers.TimeDistributed(inner)(inputs)
    x = tf.keras.layers.Flatten()(x)
    return tf.keras.Model(inputs, lq.layers.QuantDense(2, kernel_quantizer=ReCU(0.6))(x))


def fit(model, callbacks, epochs=3):
    model.compile("sgd", "mse")
    shape = (4, *model.input_shape[1:])
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    return model.fit(images, np.zeros((4, 2)), epochs=epochs, verbose=0, callbacks=callbacks)


def test_tau_scheduler_sets_nested_quantizers_and_logs():
    model = nested_model()
    seen = []
    watch = tf.keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(
            [q.tau.numpy() for q in model.submodules if isinstance(q, ReCU)]
        )
    )
    history = fit(model, [TauScheduler(3, 0.7, 0.9), watch]).history
    expected = [exponential_tau(epoch, 3, 0.7, 0.9) for epoch in range(3)]
    np.testing.assert_allclose(history["tau"], expected)
    assert np.shape(seen) == (3, 2)
    np.testing.assert_allclose(seen, np.array(expected)[:, None] * [1, 1], rtol=1e-6)


def test_tau_scheduler_refuses_a_model_without_recu():
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="at least one ReCU quantizer"):
        fit(model, [TauScheduler(3)])


def test_tau_scheduler_refuses_a_network_of_larq_zoo_as_it_comes():
    zoo = need("larq_zoo")
    model = zoo.literature.BinaryAlexNet(input_shape=(64, 64, 3), num_classes=2, weights=None)
    with pytest.raises(ValueError, match=r"at least one ReCU .*recu_tf\.models\.with_recu"):
        fit(model, [TauScheduler(1)], epochs=1)


def test_schedulers_refuse_a_training_longer_than_themselves():
    for scheduler in (TauScheduler(2), LearningRateScheduler(2, lr=0.1)):
        with pytest.raises(ValueError, match=r"`epochs` of .*Scheduler is 2, but the training.* 3"):
            fit(nested_model(), [scheduler], epochs=3)


def test_tau_scheduler_refuses_kernels_standardized_over_the_wrong_axis():
    layer = lq.layers.QuantDepthwiseConv2D(3, depthwise_quantizer=ReCU(axis=-1))
    # Without a shape, nothing of it is built before training begins.
    model = tf.keras.Sequential([layer, tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`axis` of the depthwise_quantizer of layer .* must be"):
        model.fit(tf.ones((2, 6, 6, 4)), tf.ones((2, 2)), callbacks=[TauScheduler(1)], verbose=0)


def test_learning_rate_scheduler_sets_and_logs_the_rate():
    model = nested_model()
    history = fit(model, [LearningRateScheduler(3, lr=0.1, lr_type="linear")]).history
    np.testing.assert_allclose(history["lr"], [0.1, 0.1 * 2 / 3, 0.1 / 3])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 3)


class Rates(tf.keras.callbacks.Callback):
    """The learning rate of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_one_cycle_sets_the_rate_of_every_step():
    model, rates = nested_model(), Rates()
    schedule = {"lr": 0.1, "lr_type": "one_cycle"}
    model.compile("sgd", "mse")
    images = np.zeros((8, *model.input_shape[1:]), "float32")
    options = {"batch_size": 2, "verbose": 0}
    scheduler = LearningRateScheduler(3, **schedule)
    history = model.fit(
        images, np.zeros((8, 2)), epochs=3, callbacks=[scheduler, rates], **options
    ).history
    expected = [learning_rate(step / 4, 3, **schedule) for step in range(12)]
    np.testing.assert_allclose(rates.seen, expected, rtol=1e-6)
    np.testing.assert_allclose(history["lr"], expected[::4])
    # The last three of four steps of the second epoch, as after an interruption.
    rates.seen.clear()
    rest = LearningRateScheduler(3, steps_per_epoch=4, **schedule)
    model.fit(
        images[2:], np.zeros((6, 2)), initial_epoch=1, epochs=2, callbacks=[rest, rates], **options
    )
    np.testing.assert_allclose(rates.seen, expected[5:8], rtol=1e-6)
    # Keras learns the length of a generator's epoch only at the end of the first.
    shapes = model.input_shape[1:], (2,)
    pairs = tf.data.Dataset.from_generator(
        lambda: (tuple(map(np.zeros, shapes)) for _ in range(8)),
        output_signature=tuple(map(tf.TensorSpec, shapes)),
    )
    rates.seen.clear()
    known = LearningRateScheduler(3, steps_per_epoch=4, **schedule)
    model.fit(pairs.batch(2), epochs=2, callbacks=[known, rates], verbose=0)
    np.testing.assert_allclose(rates.seen, expected[:8], rtol=1e-6)
    with pytest.raises(ValueError, match="`steps_per_epoch` must be given for one_cycle"):
        model.fit(pairs.batch(2), callbacks=[scheduler], verbose=0)
