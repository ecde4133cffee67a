import numpy as np
import pytest
import tensorflow as tf
from conftest import need
from scipy.special import log_softmax, softmax

from recu_tf.settings import Settings
from recu_tf.training.distillation import (
    Distillation,
    compare_attention,
    make_attention_map,
    mix_losses,
    soft_cross_entropy,
)

# float64: sums in another order
TOLERANCE = {"rtol": 1e-12, "atol": 0}


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_cross_entropy_is_its_formula(temperature):
    teacher, network = 3 * normal(2, 5, 7)
    p = softmax(teacher / temperature, axis=1)
    expected = -(temperature**2) * (p * log_softmax(network / temperature, axis=1)).sum(axis=1)
    got = soft_cross_entropy(tf.constant(teacher), tf.constant(network), temperature)
    np.testing.assert_allclose(got, expected, **TOLERANCE)


def test_soft_cross_entropy_of_the_published_stage_has_the_same_bits():
    teacher, network = tf.constant(normal(2, 5, 7), tf.float32)
    expected = tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(teacher), network)
    np.testing.assert_array_equal(soft_cross_entropy(teacher, network), expected)


def test_size_of_the_gradient_does_not_fall_with_the_temperature():
    # As T rises, the gradient tends to (z - t) / classes for logits of mean 0 (Hinton et al.).
    teacher, network = (values - values.mean() for values in normal(2, 7))
    logits = tf.constant(network[np.newaxis])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = soft_cross_entropy(tf.constant(teacher[np.newaxis]), logits, 1e4)
    expected = (network - teacher) / 7
    np.testing.assert_allclose(tape.gradient(loss, logits)[0], expected, rtol=0, atol=1e-3)


def test_losses_are_mixed_by_weight():
    hard, soft = tf.constant([1.0, 2.0]), tf.constant([3.0, 10.0])
    np.testing.assert_allclose(mix_losses(hard, soft, 0.25), [1.5, 4], rtol=1e-6)
    broken = tf.constant([np.inf, np.nan])
    assert mix_losses(broken, soft, 1.0) is soft
    assert mix_losses(hard, broken, 0.0) is hard


def test_attention_is_compared_by_its_formula():
    network, teacher = normal(5, 4, 6, 3), normal(5, 4, 6, 8) + 1

    def look(features):
        squares = (features**2).mean(axis=3).reshape(len(features), -1)
        return squares / squares.max(axis=1, keepdims=True)

    np.testing.assert_allclose(make_attention_map(tf.constant(network)), look(network), **TOLERANCE)
    expected = ((look(network) - look(teacher)) ** 2).mean(axis=1)
    got = compare_attention(tf.constant(network), tf.constant(teacher))
    np.testing.assert_allclose(got, expected, **TOLERANCE)


def test_attention_is_compared_as_in_larq_zoo():
    need("larq_zoo")
    from larq_zoo.training.knowledge_distillation.knowledge_distillation import (
        AttentionMatchingLossLayer,
    )

    features = tf.constant(normal(2, 5, 4, 6, 3), tf.float32)
    expected = AttentionMatchingLossLayer._layer_attention_loss(*features)
    np.testing.assert_allclose(compare_attention(*features), expected, rtol=1e-6)


def test_attention_of_features_that_are_0_is_0():
    features = tf.Variable(tf.zeros((2, 3, 3, 4), tf.float16))
    with tf.GradientTape() as tape:
        loss = compare_attention(features, tf.ones((2, 3, 3, 1), tf.float16))
    assert loss.dtype == tf.float32
    np.testing.assert_array_equal(loss, [1, 1])
    assert np.isfinite(tape.gradient(loss, features)).all()


def test_gradients_flow_to_the_network_alone():
    features, teacher_features = (tf.Variable(normal(2, 3, 3, 4)) for _ in range(2))
    logits, teacher_logits = (tf.Variable(normal(2, 5) + number) for number in range(2))
    teacher_features.assign_add(tf.ones_like(features) * 0.5)
    with tf.GradientTape(persistent=True) as tape:
        losses = compare_attention(features, teacher_features)
        losses += soft_cross_entropy(teacher_logits * logits.shape[0], logits, 2.0)
    assert all(np.abs(tape.gradient(losses, own)).max() > 1e-3 for own in (features, logits))
    assert tape.gradient(losses, [teacher_features, teacher_logits]) == [None, None]


def test_settings_name_the_pairs_of_layers():
    assert Distillation.of_settings(Settings()) == Distillation()
    settings = Settings(
        teacher="a.keras",
        distill_weight=0.5,
        temperature=2.0,
        distill_features=("a", "b=c"),
        distill_features_weight=3.0,
    )
    expected = Distillation(0.5, 2.0, (("a", "a"), ("b", "c")), 3.0)
    assert Distillation.of_settings(settings) == expected
