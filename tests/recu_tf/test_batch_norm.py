import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_close

from recu_tf.batch_norm import BatchNormalization, set_momentum


def layer_and_reference(shape, **arguments):
    """A layer after one batch, its output, and what NumPy makes of the batch."""
    values = np.random.default_rng(0).normal(3, 2, shape)
    layer = BatchNormalization(**arguments)
    output = layer(values, training=True)
    rows = values.reshape(-1, shape[-1])
    expected = (values - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)
    return layer, output, rows, expected


@pytest.mark.parametrize("shape", [(16, 4), (16, 6, 4), (4, 5, 6, 4), (2, 3, 4, 5, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_averages_are_the_published_ones_everywhere(shape, dtype):
    layer, output, rows, expected = layer_and_reference(shape, dtype=dtype)
    assert output.dtype == dtype
    assert_close(output.numpy(), expected, 1e-5)
    assert_close(layer.moving_mean.numpy(), 0.1 * rows.mean(0), 1e-5)
    assert_close(layer.moving_variance.numpy(), 0.9 + 0.1 * rows.var(0, ddof=1), 1e-5)


def test_evaluation_uses_the_running_averages():
    layer, _, _, _ = layer_and_reference((16, 4), dtype="float64")
    values = np.ones((2, 4))
    expected = (1 - layer.moving_mean) / np.sqrt(layer.moving_variance + 1e-5)
    assert_close(layer(values, training=False).numpy()[0], expected, 1e-12)
    assert_close(layer(values).numpy()[0], expected, 1e-12)


def test_frozen_layer_keeps_its_averages():
    layer = BatchNormalization(trainable=False, dtype="float64")
    layer(np.random.default_rng(0).normal(size=(8, 4)), training=True)
    assert not layer.moving_mean.numpy().any()


def test_single_value_per_channel_has_no_variance():
    layer, _, _, _ = layer_and_reference((1, 4), dtype="float64")
    assert_close(layer.moving_variance.numpy(), np.full(4, 0.9), 1e-12)


def test_gradient_goes_through_mean_and_variance():
    values = tf.constant(np.random.default_rng(0).normal(size=(6, 3)))
    layer = BatchNormalization(dtype="float64")
    weights = tf.constant(np.random.default_rng(1).normal(size=(6, 3)))
    got, expected = tf.test.compute_gradient(
        lambda x: tf.reduce_sum(weights * layer(x, training=True)), [values]
    )
    # Central differences in float64 leave about 1e-7.
    np.testing.assert_allclose(got[0], expected[0], atol=1e-6)


def test_half_precision_is_computed_in_float32():
    layer = BatchNormalization(dtype=tf.keras.mixed_precision.Policy("mixed_float16"))
    values = np.random.default_rng(0).normal(scale=300, size=(64, 4)).astype("float16")
    output = layer(values, training=True)  # the squares overflow float16
    assert output.dtype == tf.float16
    assert_close(layer.moving_variance.numpy(), 0.9 + 0.1 * values.astype(float).var(0, ddof=1))


@pytest.mark.parametrize("shape", [(4, 6), (4, 2, 2, 6)])
def test_synchronized_replicas_are_one_batch(shape):
    values = np.random.default_rng(0).normal(size=shape).astype("float64")
    whole = BatchNormalization(dtype="float64")
    expected = whole(values, training=True)
    # Not with collectives, whose keys clash with those of other strategies in one process.
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        layer = BatchNormalization(dtype="float64", synchronized=True)
        layer.build(values.shape)

    @tf.function
    def step():
        def replica():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            return layer(tf.constant(values)[2 * index : 2 * index + 2], training=True)

        return strategy.run(replica)

    got = np.concatenate(strategy.experimental_local_results(step()))
    assert_close(got, expected.numpy(), 1e-12)
    assert_close(layer.moving_variance.numpy(), whole.moving_variance.numpy(), 1e-12)


def test_layer_is_saved_and_loaded(tmp_path):
    model = tf.keras.Sequential([BatchNormalization(momentum=0.5, synchronized=True)])
    model(np.ones((2, 3), np.float32))
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert isinstance(loaded, BatchNormalization)
    assert (loaded.momentum, loaded.epsilon, loaded.synchronized) == (0.5, 1e-5, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axis": 1}, r"`axis` must be the last one, got \[1\] of 4 axes"),
        ({"axis": [1, 2]}, r"`axis` must be the last one, got \[1, 2\] of 4 axes"),
        ({"renorm": True}, "`renorm` must be left out, got True"),
        ({"virtual_batch_size": 2}, "`virtual_batch_size` must be left out, got 2"),
    ],
)
def test_what_it_cannot_do_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchNormalization(**arguments)(tf.zeros((2, 3, 3, 4)))


def test_mask_is_refused():
    with pytest.raises(ValueError, match="`mask` must be None"):
        BatchNormalization()(tf.zeros((2, 3)), mask=tf.ones((2,), tf.bool))


def test_momentum_is_set_inside_of_nested_models_too():
    def norm(x):
        return tf.keras.layers.BatchNormalization()(BatchNormalization()(x))

    x = tf.keras.Input((2,))
    inner = tf.keras.Model(x, norm(x))
    network = tf.keras.Model(x, norm(inner(x)))
    set_momentum(network, 0.5)
    network(tf.constant([[1.0, 2.0], [3.0, 4.0]]), training=True)
    # Of the batch, then of normalised values.
    means = [weight.numpy() for weight in network.weights if "moving_mean" in weight.name]
    assert_close(np.array(means), [[1, 1.5], [0, 0], [0, 0], [0, 0]], 1e-6)
    with pytest.raises(ValueError, match=r"`momentum` must be a number in \[0, 1\), got 1"):
        set_momentum(network, 1)
