"""The training step of a network: loss, gradients and metrics, on any number of devices."""

import tensorflow as tf

from recu_tf.logits import as_logits, ends_with_softmax, widen
from recu_tf.training.distillation import (
    Distillation,
    compare_attention,
    mix_losses,
    soft_cross_entropy,
)
from recu_tf.training.feature_maps import with_maps
from recu_tf.training.teachers import Teacher

__all__ = ["Learner"]


class Learner(tf.keras.Model):
    r"""A network together with its training step; `fit` and `evaluate` are Keras'.

    The loss of a step is the mean over the images of all replicas, so neither the loss nor the
    gradient depends on the number of replicas or on how a batch is split between them. That of an
    image is the cross-entropy with its label; with a teacher it is what `distillation` says, by
    default the cross-entropy with the teacher's softmax alone. What the regularizers of the
    network's layers give (`network.losses`) is added to the loss whose gradient is taken, as Keras
    does; the reported loss is without it. Evaluation knows labels alone.

    Args:
        network: from images (batch, height, width, channels) to logits (batch, classes), or to
            probabilities if it ends with a softmax, see `recu_tf.logits`.
        teacher: for the same images and classes; it is not trained.
        distillation: what is learned from the teacher.

    Attributes:
        network: the network.
        finite_steps: a metric, the number of steps in this epoch whose loss was finite, summed
            over replicas.
    """

    def __init__(
        self,
        network: tf.keras.Model,
        teacher: Teacher | None = None,
        distillation: Distillation | None = None,
    ):
        super().__init__(name="learner")
        # Each metric already covers all replicas; Keras would sum over replicas once more.
        self.distribute_reduction_method = "first"
        self.network = network
        self.teacher = teacher
        self.distillation = distillation or Distillation()
        self.returns_probabilities = ends_with_softmax(network)
        names = [name for name, _ in self.distillation.features]
        self._network_with_maps = with_maps(network, names, owner="network")
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
        return self._compute_logits(self.network(images, training=training))

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Trains one step on the images of this replica; called by `fit`."""
        images, labels = data
        count = tf.size(labels)
        replica = tf.distribute.get_replica_context()
        if replica.num_replicas_in_sync > 1:
            count = replica.all_reduce(tf.distribute.ReduceOp.SUM, count)
        taught = None if self.teacher is None else self.teacher(images)
        with tf.GradientTape() as tape:
            outputs, *maps = tf.nest.flatten(self._network_with_maps(images, training=True))
            logits = self._compute_logits(outputs)
            losses = self._compute_losses(labels, logits, maps, taught)
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

    def save(self, *arguments, **options) -> None:
        """Saves the network alone, as `tf.keras.Model.save`: what `ModelCheckpoint` calls."""
        self.network.save(*arguments, **options)

    def save_weights(self, *arguments, **options) -> None:
        """Saves the weights of the network alone, as `tf.keras.Model.save_weights`."""
        self.network.save_weights(*arguments, **options)

    def _compute_logits(self, outputs: tf.Tensor) -> tf.Tensor:
        return widen(as_logits(outputs) if self.returns_probabilities else outputs)

    def _compute_losses(
        self,
        labels: tf.Tensor,
        logits: tf.Tensor,
        maps: list[tf.Tensor],
        taught: tuple[tf.Tensor, list[tf.Tensor]] | None,
    ) -> tf.Tensor:
        """The loss of each image; `taught` holds the logits and maps of the teacher."""
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        if taught is None:
            return hard
        teacher_logits, teacher_maps = taught
        chosen = self.distillation
        soft = soft_cross_entropy(teacher_logits, logits, chosen.temperature)
        losses = mix_losses(hard, soft, chosen.weight)
        if maps:
            pairs = zip(maps, teacher_maps, strict=True)
            compared = tf.add_n([compare_attention(*pair) for pair in pairs]) / len(maps)
            losses += chosen.features_weight * tf.cast(compared, losses.dtype)
        return losses

    def _update_metrics(
        self, labels: tf.Tensor, logits: tf.Tensor, losses: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        self.loss_mean.update_state(losses)
        self.accuracy.update_state(labels, logits)
        self.top_5.update_state(labels, logits)
        reported = (self.loss_mean, self.accuracy, self.top_5)
        return {metric.name: metric.result() for metric in reported}
