"""The losses by which a network learns from a teacher, as pure functions, and their settings."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from recu_tf.logits import widen
from recu_tf.settings import Settings

__all__ = [
    "Distillation",
    "compare_attention",
    "make_attention_map",
    "mix_losses",
    "soft_cross_entropy",
]


@dataclass(frozen=True)
class Distillation:
    """What a network learns from its teacher; the defaults are the published second stage.

    Attributes:
        weight: of the teacher's softmax against the labels, from 0 to 1.
        temperature: that both networks' logits are divided by.
        features: pairs of names, of a layer of the network and a layer of the teacher, whose
            attention maps are compared.
        features_weight: factor of the mean loss of these pairs.
    """

    weight: float = 1.0
    temperature: float = 1.0
    features: tuple[tuple[str, str], ...] = ()
    features_weight: float = 30.0

    @classmethod
    def of_settings(cls, settings: Settings) -> "Distillation":
        """That which the settings describe."""
        pairs = (text.partition("=") for text in settings.distill_features)
        return cls(
            settings.distill_weight,
            settings.temperature,
            tuple((name, teacher_name or name) for name, _, teacher_name in pairs),
            settings.distill_features_weight,
        )


def soft_cross_entropy(
    teacher_logits: tf.Tensor, logits: tf.Tensor, temperature: float = 1.0
) -> tf.Tensor:
    r"""The cross-entropy of a network with its teacher's softmax.

    \[ -T^2 \sum_k p_k \log q_k, \quad p = \mathrm{softmax}(t / T),
    \quad q = \mathrm{softmax}(z / T) \]

    for the teacher's logits \(t\) and the network's \(z\). The factor \(T^2\) keeps the size of
    the gradient as the temperature \(T\) rises (Hinton, Vinyals, Dean: Distilling the Knowledge in
    a Neural Network, 2015, arXiv:1503.02531, section 2). The entropy of \(p\), a constant, is not
    subtracted. With \(T = 1\) it is the loss of the published second stage.

    Args:
        teacher_logits: (batch, classes); constants, no gradient flows to them.
        logits: of the network, (batch, classes); the dtype of the result is theirs.
        temperature: \(T\), above 0.

    Returns:
        (batch,).
    """
    teacher_logits = tf.cast(teacher_logits, logits.dtype)
    if temperature != 1:
        teacher_logits, logits = teacher_logits / temperature, logits / temperature
    targets = tf.stop_gradient(tf.nn.softmax(teacher_logits))
    losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    return losses if temperature == 1 else temperature**2 * losses


def mix_losses(hard: tf.Tensor, soft: tf.Tensor, weight: float) -> tf.Tensor:
    r"""\((1 - w) h + w s\) of the cross-entropies \(h\) with the labels, \(s\) with the teacher.

    Args:
        hard: any shape.
        soft: of the same shape.
        weight: \(w\), from 0 to 1; at either end the other loss has no influence, not even one
            that is not finite.
    """
    if weight in (0, 1):
        return soft if weight else hard
    return (1 - weight) * hard + weight * soft


def make_attention_map(features: tf.Tensor) -> tf.Tensor:
    r"""Where a layer looks: the mean square over the channels, divided by its largest value.

    That is the map of larq-zoo's Real-to-Binary (Martinez et al.: Training Binary Neural Networks
    with Real-to-Binary Convolutions, 2020, arXiv:2003.11535, section 4.2, has the same map divided
    by its L2 norm). The map of an image whose features are all 0 is 0.

    Args:
        features: (batch, height, width, channels).

    Returns:
        (batch, height * width), from 0 to 1, in float32 or wider.
    """
    features = widen(features)
    squares = tf.reduce_mean(tf.square(features), axis=-1)
    vectors = tf.reshape(squares, [-1, squares.shape[1] * squares.shape[2]])
    smallest = np.finfo(vectors.dtype.as_numpy_dtype).tiny
    return vectors / tf.maximum(tf.reduce_max(vectors, axis=-1, keepdims=True), smallest)


def compare_attention(features: tf.Tensor, teacher_features: tf.Tensor) -> tf.Tensor:
    """The mean squared difference of two attention maps, as in larq-zoo's Real-to-Binary.

    Args:
        features: of the network, (batch, height, width, channels).
        teacher_features: of the same height and width; channels may differ. They are constants, no
            gradient flows to them.

    Returns:
        (batch,), in float32 or wider.
    """
    own = make_attention_map(features)
    teacher = tf.stop_gradient(tf.cast(make_attention_map(teacher_features), own.dtype))
    return tf.reduce_mean(tf.square(own - teacher), axis=-1)
