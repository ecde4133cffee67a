"""The training step of a network: loss, gradients and metrics, on any number of devices."""

import tensorflow as tf

from recu_tf.logits import as_logits, ends_with_softmax

__all__ = ["Learner"]


class Learner(tf.keras.Model):
    r"""A network together with its training step; `fit` and `evaluate` are Keras'.

    The loss of a step is the mean cross-entropy over the images of all replicas, so neither the
    loss nor the gradient depends on the number of replicas or on how a batch is split between
    them. With a teacher, the teacher's softmax \\(p\\) replaces the labels:
    \\(-\\sum_k p_k \\log q_k\\), with \\(q\\) the softmax of the network. What the regularizers of
    its layers give (`network.losses`) is added to the loss whose gradient is taken, as Keras
    does; the reported loss is the cross-entropy alone.

    Args:
        network: from images (batch, height, width, channels) to logits (batch, classes), or to
            the probabilities of a final softmax, whose logits are then used.
        teacher: from the same images to logits of the same shape; it is not trained.

    Attributes:
        network: the network.
        finite_steps: a metric, the number of steps in this epoch whose loss was finite, summed
            over replicas.
    """

    def __init__(self, network: tf.keras.Model, teacher: tf.keras.Model | None = None):
        super().__init__(name="learner")
        if teacher is not None:
            teacher.trainable = False
        # Each metric already covers all replicas; Keras would sum over replicas once more.
        self.distribute_reduction_method = "first"
        self.network = network
        self._has_softmax = ends_with_softmax(network)
        self.teacher = teacher
        self.loss_mean = tf.keras.metrics.Mean("loss")
        self.accuracy = tf.keras.metrics.SparseCategoricalAccuracy("accuracy")
        # Keras finds the five largest only among float32 logits.
        self.top_5 = tf.keras.metrics.SparseTopKCategoricalAccuracy(5, "top_5", tf.float32)
        self.finite_steps = tf.keras.metrics.Sum("finite_steps")

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """All metrics, which Keras resets at the start of each epoch and evaluation."""
        return [self.loss_mean, self.accuracy, self.top_5, self.finite_steps]

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The logits of the network."""
        outputs = self.network(images, training=training)
        return as_logits(outputs) if self._has_softmax else outputs

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Trains one step on the images of this replica; called by `fit`."""
        images, labels = data
        count = tf.size(labels)
        replica = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync > 1:
            count = replica.all_reduce(tf.distribute.ReduceOp.SUM, count)
        with tf.GradientTape() as tape:
            logits = self.call(images, training=True)
            losses = self._cross_entropies(images, labels, logits)
            loss = tf.reduce_sum(losses) / tf.cast(count, losses.dtype)
            # The gradients of all replicas are summed; each has its share of the regularization.
            for term in self.network.losses:
                loss += tf.cast(term, loss.dtype) / replica.num_replicas_in_sync
        self.optimizer.minimize(loss, self.network.trainable_variables, tape)
        self.finite_steps.update_state(tf.math.is_finite(loss))
        return self._update_metrics(labels, logits, losses)

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Evaluates the images of this replica; called by `evaluate`."""
        images, labels = data
        logits = self.call(images, training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return self._update_metrics(labels, logits, losses)

    def _cross_entropies(
        self, images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor
    ) -> tf.Tensor:
        if self.teacher is None:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        targets = tf.nn.softmax(tf.cast(self.teacher(images, training=False), logits.dtype))
        return tf.nn.softmax_cross_entropy_with_logits(tf.stop_gradient(targets), logits)

    def _update_metrics(
        self, labels: tf.Tensor, logits: tf.Tensor, losses: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        self.loss_mean.update_state(losses)
        self.accuracy.update_state(labels, logits)
        self.top_5.update_state(labels, logits)
        reported = (self.loss_mean, self.accuracy, self.top_5)
        return {metric.name: metric.result() for metric in reported}
