import numpy as np
import pytest
import tensorflow as tf
from conftest import few_digits, tiny_resnet

from recu_tf import models
from recu_tf.batch_norm import BatchNormalization
from recu_tf.settings import Settings
from recu_tf.training.setup import prepare
from recu_tf.training.step import Learner

SETTINGS = {
    "model": "resnet20_1w1a",
    "dataset": "digits",
    "epochs": 2,
    "batch_size": 10,
    "lr": 0.05,
    "precision": "float64",
    "sync_batch_norm": True,
}


def train_three_steps(**change):
    """The losses of three steps and the weights after them."""
    prepared = prepare(Settings(**{**SETTINGS, **change}))
    learner, batches = prepared.learner, iter(prepared.batches())
    step = learner.make_train_function()
    losses = []
    for _ in range(3):
        learner.reset_metrics()
        losses.append(float(step(batches)["loss"]))
    return losses, learner.network.get_weights()


@pytest.mark.slow
def test_losses_and_weights_do_not_depend_on_the_number_of_devices(monkeypatch):
    # The third batch has 5 images, 3 on one device and 2 on the other.
    few_digits(monkeypatch, train=25, build=tiny_resnet)
    losses, weights = train_three_steps(strategy="single", weight_decay=0.1)
    shared_losses, shared_weights = train_three_steps(strategy="mirrored", weight_decay=0.1)
    assert tf.distribute.get_strategy().num_replicas_in_sync == 1
    # float64; sums in another order. L2 this strong, added twice, would change the second loss.
    np.testing.assert_allclose(shared_losses, losses, rtol=0, atol=1e-6)
    for shared, single in zip(shared_weights, weights, strict=True):
        np.testing.assert_allclose(shared, single, rtol=0, atol=1e-6)
    losses_without_l2, _ = train_three_steps(strategy="single", weight_decay=0.0)
    assert abs(losses_without_l2[1] - losses[1]) > 1e-4


def test_batch_norm_is_per_replica_unless_asked(monkeypatch):
    few_digits(monkeypatch, build=tiny_resnet)
    for synchronized in (False, True):
        prepared = prepare(Settings(**{**SETTINGS, "sync_batch_norm": synchronized}))
        norms = [
            layer
            for layer in prepared.learner.network.layers
            if isinstance(layer, BatchNormalization)
        ]
        assert norms
        assert all(layer.synchronized == synchronized for layer in norms)
        # The network that is saved is an ordinary network.
        saved = prepared.saved_network.layers
        assert not any(getattr(layer, "synchronized", False) for layer in saved)


@pytest.mark.parametrize("synchronized", [False, True])
def test_batch_norms_keep_the_share_of_their_averages_that_is_asked_for(monkeypatch, synchronized):
    few_digits(monkeypatch, build=tiny_resnet)

    def average_one_step(**change):
        settings = Settings(**{**SETTINGS, "sync_batch_norm": synchronized, **change})
        prepared = prepare(settings)
        prepared.learner.make_train_function()(iter(prepared.batches()))
        weights = prepared.learner.network.weights
        return np.concatenate([w.numpy() for w in weights if "moving_mean" in w.name])

    # They begin at 0. float64 computes the means of the same batch.
    published = average_one_step() / 0.1
    assert published.any()
    asked_for = average_one_step(batch_norm_momentum=0.75) / 0.25
    np.testing.assert_allclose(asked_for, published, rtol=1e-9, atol=1e-12)


def test_new_networks_alone_start_with_the_gamma_that_is_asked_for(monkeypatch, tmp_path):
    few_digits(monkeypatch, build=tiny_resnet)
    change = {"strategy": "single", "sync_batch_norm": False, "batch_norm_gamma": 0.25}

    def find_gammas(**start):
        network = prepare(Settings(**{**SETTINGS, **change}), **start).learner.network
        block = [layer for layer in network.layers if layer.name.startswith("layer1")]
        return {float(g) for norm in block for g in getattr(norm, "gamma", tf.zeros(0)).numpy()}

    assert find_gammas() == {0.25}
    path = tmp_path / "trained.keras"
    tiny_resnet((32, 32, 3), 10).save(path)
    assert find_gammas(init_from=path) == {1.0}


def test_l2_applies_to_the_tensors_of_the_recipe():
    tiny = tiny_resnet((32, 32, 3), 10)
    assert len(models.select_l2_variables(tiny, "cifar10")) == len(tiny.trainable_variables)
    large = models.build("resnet18_1w1a", "folder", num_classes=3, input_shape=(32, 32, 3))
    names = {variable.name for variable in models.select_l2_variables(large, "folder")}
    assert {"conv1/kernel:0", "layer1.0.conv1/kernel:0", "layer1.0.conv1.alpha/alpha:0"} <= names
    assert {"fc/kernel:0", "fc/bias:0"} <= names
    others = {variable.name for variable in large.trainable_variables} - names
    assert "layer2.0.downsample.0/kernel:0" in others
    assert all("gamma" in name or "beta" in name or "downsample" in name for name in others)


def test_loss_is_the_mean_over_the_images():
    learner = Learner(tiny_resnet((32, 32, 3), 10))
    learner.compile("sgd", run_eagerly=True)
    images = tf.random.normal((6, 32, 32, 3))
    labels = tf.constant([1, 2, 3, 4, 5, 6])
    logits = learner.network(images, training=True)
    expected = tf.keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    learner.optimizer.learning_rate = 0.0
    values = learner.train_on_batch(images, labels, return_dict=True)
    assert values["loss"] == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)
    assert float(learner.finite_steps.result()) == 1


def test_gradient_has_the_regularizers_of_the_layers_and_the_reported_loss_has_not():
    layer = tf.keras.layers.Dense(3, kernel_regularizer=tf.keras.regularizers.L2(0.25))
    network = tf.keras.Sequential([tf.keras.Input((2,)), layer])
    learner = Learner(network)
    learner.compile(tf.keras.optimizers.SGD(1.0), run_eagerly=True)
    kernel = layer.kernel.numpy()
    # An image of zeros gives the kernel no gradient but that of 0.25 times its square: half of it.
    logs = learner.train_step((tf.zeros((2, 2)), tf.constant([0, 1])))
    np.testing.assert_allclose(layer.kernel.numpy(), kernel / 2, rtol=1e-6)  # float32
    assert float(logs["loss"]) == pytest.approx(np.log(3), rel=1e-6)


def test_network_with_a_softmax_trains_like_the_one_without():
    kernel = np.random.default_rng(0).normal(scale=4, size=(2, 3)).astype(np.float32)
    batch = (tf.constant([[3.0, 1.0], [-2.0, 5.0]]), tf.constant([0, 1]))
    results = []
    for activation in (None, "softmax"):
        layer = tf.keras.layers.Dense(3, activation)
        learner = Learner(tf.keras.Sequential([tf.keras.Input((2,)), layer]))
        learner.compile(tf.keras.optimizers.SGD(1.0))
        layer.kernel.assign(kernel)
        logs = [learner.train_on_batch(*batch), learner.test_on_batch(*batch)]
        results.append((logs, layer.kernel.numpy()))
    (logs, trained), (logs_with_softmax, trained_with_softmax) = results
    np.testing.assert_array_equal(trained_with_softmax, trained)
    assert logs_with_softmax == logs
