import numpy as np
import pytest
import tensorflow as tf
from conftest import assert_same_arrays, shared

from recu_tf.optimizers import SGD, Adam


@pytest.mark.parametrize(("name", "kind"), [("sgd", SGD), ("adam", Adam)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_match_the_published_implementation(name, kind, dtype):
    vectors = np.load(shared("reference", "optimizer_steps.npz"))
    weights, gradients, rates = (vectors[f"{name}/{x}"] for x in ("weights", "gradients", "lr"))
    optimizer = kind(l2=float(vectors[f"{name}/weight_decay"]))
    variable = tf.Variable(weights[0].astype(dtype))
    apply = tf.function(optimizer.apply_gradients)
    optimizer.build([variable])
    for gradient, rate, expected in zip(gradients, rates, weights[1:], strict=True):
        optimizer.learning_rate = rate
        apply([(tf.constant(gradient.astype(dtype)), variable)])
        np.testing.assert_allclose(variable.numpy(), expected, rtol=0, atol=1e-6)


def test_momentum_of_nesterov_is_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(0)
    weights, *gradients = rng.normal(size=(6, 7))
    expected = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    reference = torch.optim.SGD([expected], 0.3, 0.9, weight_decay=0.01, nesterov=True)
    variable = tf.Variable(weights)
    optimizer = SGD(0.3, 0.9, l2=0.01, nesterov=True)
    for gradient in gradients:
        expected.grad = torch.from_numpy(gradient)
        reference.step()
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
    # Both compute in float64; only the order of the additions differs. The rate is a float32.
    np.testing.assert_allclose(variable.numpy(), expected.detach().numpy(), rtol=1e-6)


def test_l2_is_added_once_however_many_replicas():
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy(
        [device.name for device in devices], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        optimizer = SGD(1.0, momentum=0.0, l2=0.5)
        variable = tf.Variable([2.0])
        optimizer.build([variable])

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply_gradients([(tf.constant([0.25]), variable)]))

    step()
    # Each replica brings 0.25, summed; L2 takes half of the weight, once.
    replicas = strategy.num_replicas_in_sync
    assert replicas == 2
    assert variable.numpy() == pytest.approx([2 - 0.25 * replicas - 1.0])


@pytest.mark.parametrize(("kind", "options"), [(SGD, {}), (SGD, {"nesterov": True}), (Adam, {})])
def test_configuration_and_slots_survive_saving(kind, options, tmp_path):
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    model.compile(kind(0.05, l2=1e-3, **options), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is kind
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for m in (model, loaded):
        m.fit(x, y, verbose=0)
    assert_same_arrays(loaded.get_weights(), model.get_weights())


@pytest.mark.parametrize("bad", [-0.1, 1.0, float("nan")])
def test_impossible_decay_rates_are_refused(bad):
    with pytest.raises(ValueError, match=r"`momentum` must be a number in \[0, 1\), got"):
        SGD(momentum=bad)
    with pytest.raises(ValueError, match=r"`beta_2` must be a number in \[0, 1\), got"):
        Adam(beta_2=bad)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_numbers_of_numpy_are_kept_as_python_has_them(kind):
    assert type(kind(l2=np.float32(0.5)).get_config()["l2"]) is float


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_impossible_l2_is_refused(kind):
    with pytest.raises(ValueError, match="`l2` must be a finite number from 0, got -1"):
        kind(l2=-1)


def test_momentum_of_nesterov_needs_a_momentum():
    with pytest.raises(ValueError, match="`nesterov` needs a `momentum` above 0, got 0"):
        SGD(momentum=0.0, nesterov=True)
