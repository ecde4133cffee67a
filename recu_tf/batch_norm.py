"""Batch normalisation whose running variance is always unbiased, as in PyTorch.

Examples:
    >>> layer = recu_tf.batch_norm.BatchNormalization()
    >>> y = layer(tf.constant([[1.0], [3.0]]), training=True)
    >>> y[:, 0].numpy().round(2), layer.moving_variance.numpy().round(2)  # 0.9 * 1 + 0.1 * 2
    (array([-1.,  1.], dtype=float32), array([1.1], dtype=float32))

    For several devices that normalise over their images together:

    >>> x = tf.keras.Input((8, 8, 3))
    >>> network = tf.keras.Model(x, recu_tf.batch_norm.BatchNormalization(name="norm")(x))
    >>> network = recu_tf.batch_norm.synchronize_batch_norm(network)
    >>> network.get_layer("norm").synchronized
    True

    With running averages over more batches:

    >>> recu_tf.batch_norm.set_momentum(network, 0.995)
    >>> network.get_layer("norm").momentum
    0.995
"""

from collections.abc import Sequence

import tensorflow as tf

from recu_tf.latent_weights import read_latent_weights
from recu_tf.number_checks import check_below_one

__all__ = ["BatchNormalization", "set_momentum", "synchronize_batch_norm"]


def _sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def _sum_per_channel(values: tf.Tensor) -> tf.Tensor:
    # Axis by axis: TensorFlow adds row after row, which in float32 over a whole batch leaves 50
    # times the rounding error, enough to flip signs in later layers.
    for _ in range(values.shape.rank - 1):
        values = tf.reduce_sum(values, axis=-2)
    return values


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class BatchNormalization(tf.keras.layers.BatchNormalization):
    r"""Keras' batch normalisation with the published epsilon and running averages.

    Training normalises with the mean \(\mu\) and the biased variance of the batch; the running
    averages move by \((1 - m)\) towards \(\mu\) and the variance times \(n / (n - 1)\), with
    \(n\) the number of values per channel. Keras averages the biased variance wherever its fused
    operator cannot run: in float64, on inputs of rank other than 4, and synchronised between
    replicas. This layer averages the unbiased variance there too; for \(n = 1\) it is 0.

    Shape: (..., channels) to the same. Arguments are those of Keras' layer; the default of
    `momentum` is 0.9, of `epsilon` 1e-5, and only the last axis can be normalised.

    Raises:
        ValueError: `axis` is not the last axis, or an option of Keras is not supported (`renorm`,
            `virtual_batch_size`, `adjustment`); when called: a mask is given.
    """

    def __init__(
        self, axis: int | Sequence[int] = -1, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs
    ):
        for name in ("renorm", "virtual_batch_size", "adjustment"):
            if kwargs.get(name):
                raise ValueError(f"`{name}` must be left out, got {kwargs[name]!r}.")
        super().__init__(axis=axis, momentum=momentum, epsilon=epsilon, **kwargs)

    def build(self, input_shape):
        """Creates the weights."""
        rank = len(input_shape)
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        if axes not in ([-1], [rank - 1]):
            raise ValueError(f"`axis` must be the last one, got {axes} of {rank} axes.")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training=None, mask=None) -> tf.Tensor:
        """Normalises the inputs, and updates the running averages when training."""
        if mask is not None:
            raise ValueError("`mask` must be None: every value of a batch counts.")
        if training is None:
            training = tf.keras.backend.learning_phase()
        if self.fused or tf.is_tensor(training) or not (training and self.trainable):
            return super().call(inputs, training=training)
        values = tf.cast(inputs, self.gamma.dtype if self.scale else self.moving_mean.dtype)
        mean, variance, count = self._compute_moments(values)
        unbiased = variance * (count / tf.maximum(count - 1, 1))
        for average, value in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            step = (average - value) * tf.constant(1 - self.momentum, average.dtype)
            average.assign_sub(tf.stop_gradient(step))
        outputs = tf.nn.batch_normalization(
            values, mean, variance, self.beta, self.gamma, tf.constant(self.epsilon, values.dtype)
        )
        return tf.cast(outputs, self.compute_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments; Keras' `get_config` omits `synchronized`."""
        return {**super().get_config(), "synchronized": self.synchronized}

    def _compute_moments(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean, biased variance, number of values per channel; of all replicas if synchronised."""
        over_replicas = _sum_over_replicas if self.synchronized else tf.identity
        count = over_replicas(tf.cast(tf.size(values) // tf.shape(values)[-1], values.dtype))
        mean = over_replicas(_sum_per_channel(values)) / count
        variance = over_replicas(_sum_per_channel(tf.square(values - mean))) / count
        return mean, variance, count


def set_momentum(network: tf.keras.Model, momentum: float) -> None:
    """Sets the share of its running averages that each batch norm of a network keeps in a step.

    It is 1 minus PyTorch's `momentum`. With 0.9 the averages hold about the last ten batches; those
    of 64 images are few for a network of signs. Set it before the training step is traced.

    Args:
        network: a Keras model; batch norms inside of its layers count.
        momentum: in [0, 1).

    Raises:
        ValueError: the number is out of range.
    """
    check_below_one(momentum=momentum)
    for part in network.submodules:
        if isinstance(part, tf.keras.layers.BatchNormalization):
            part.momentum = momentum


def synchronize_batch_norm(network: tf.keras.Model) -> tf.keras.Model:
    """Copies a network with batch norms like PyTorch's SyncBatchNorm, over all replicas together.

    Args:
        network: a functional Keras model.

    Returns:
        A copy with the same weights, in which every `BatchNormalization` is synchronised.
    """

    def copy(layer):
        config = layer.get_config()
        if isinstance(layer, BatchNormalization):
            config["synchronized"] = True
        return type(layer).from_config(config)

    clone = tf.keras.models.clone_model(network, clone_function=copy)
    clone.set_weights(read_latent_weights(network))
    return clone
