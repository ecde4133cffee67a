"""A network of a trial with its optimizer: the training step, and evaluation."""

import numpy as np
import tensorflow as tf

from experiments.speedrun.activation_gradients import SignWithSlope
from experiments.speedrun.trial import Trial
from experiments.speedrun.trial_network import build_network
from recu_tf import data
from recu_tf.layers import BinaryConv2D
from recu_tf.optimizers.muon import orthogonalize, rescale_filters
from recu_tf.quantizers import ReCU

__all__ = ["NORMALIZATION", "SIZE", "Learning"]

NORMALIZATION = data.DATASETS["cifar10"].normalization
SIZE = 32  # of the images
CLASSES = 10
EVALUATED_AT_ONCE = 500
REESTIMATED_ON = 10_000  # images for the batch norms of an average
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


class Learning:
    """A network with its optimizer.

    Args:
        trial: what is trained, and how.
        precision: of the network, see `build_network`.
        size: side length of the images.
        teacher: from the same images to logits; None for labels alone.

    Attributes:
        network: the network.
        mean_network: the network of a trial's `mean_teacher`, or None.
        precision: of it.
        variables: its trainable ones, in the order of `slots`.
        slots: the optimizer's state, a list for each of its slots.
        count: steps so far.
        step: from normalised images, labels and a learning rate to the loss and the top-1 of a
            batch, which it trains on.
    """

    def __init__(
        self,
        trial: Trial,
        precision: str = "binary",
        size: int = SIZE,
        teacher: tf.keras.Model | None = None,
    ):
        self.trial = trial
        self.teacher = teacher
        self.precision = precision
        self.network = build_network(trial, precision, size)
        self.mean_network = None
        if trial.mean_teacher:
            self.mean_network = build_network(trial, precision, size)
            self.mean_network.set_weights(self.network.get_weights())
        self.variables = self.network.trainable_variables
        adam = "adam" in (trial.optimizer, trial.kernel_optimizer)
        self.slots = [
            [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
            for _ in range(2 if adam else 1)
        ]
        self.count = tf.Variable(0.0)
        self.width = tf.Variable(trial.width, trainable=False)
        if trial.last_width is not None:
            for part in self.network.submodules:
                if isinstance(part, SignWithSlope):
                    part.width = self.width.read_value
        self._recus = [part for part in self.network.submodules if isinstance(part, ReCU)]
        binary = {
            layer.kernel.ref()
            for layer in self.network.layers
            if isinstance(layer, BinaryConv2D) and layer.kernel_quantizer is not None
        }
        self._binary = [variable.ref() in binary for variable in self.variables]
        parts = list(zip(self.variables, self._binary, strict=True))
        self._l2 = [trial.l2 * self._find_l2_factor(*part) for part in parts]
        self._factors = [self._find_factor(*part) for part in parts]
        if trial.kernel_optimizer:
            for variable, is_binary in parts:
                if is_binary:
                    variable.assign(rescale_filters(variable))
        images = tf.TensorSpec([None, size, size, 3], tf.float32)
        labels, rate = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.float32)
        self.step = tf.function(self._step, [images, labels, rate])
        self._predict = tf.function(lambda batch: self.network(batch, training=False), [images])
        self._predict_mean = tf.function(
            lambda batch: self.mean_network(batch, training=False), [images]
        )
        self._see = tf.function(lambda batch: self.network(batch, training=True), [images])

    def set_temperature(self, tau: float) -> None:
        """Sets the temperature of all kernels."""
        for recu in self._recus:
            recu.tau.assign(tau)

    def take_over(self, other: "Learning") -> None:
        """Takes the weights and the optimizer's state of the same network for another size."""
        self.network.set_weights(other.network.get_weights())
        if self.mean_network is not None:
            self.mean_network.set_weights(other.mean_network.get_weights())
        for mine, theirs in zip(self.slots, other.slots, strict=True):
            for variable, value in zip(mine, theirs, strict=True):
                variable.assign(value)
        self.count.assign(other.count)

    def evaluate(self, pixels: np.ndarray, labels: np.ndarray, mean: bool = False) -> float:
        """The top-1 on uint8 images (count, height, width, channels), from 0 to 1.

        Args:
            pixels: of the images.
            labels: (count,).
            mean: whether it is that of the mean network.
        """
        predict = self._predict_mean if mean else self._predict
        right = 0
        for start in range(0, len(pixels), EVALUATED_AT_ONCE):
            chosen = slice(start, start + EVALUATED_AT_ONCE)
            logits = predict(NORMALIZATION(pixels[chosen]))
            right += int((np.argmax(logits, 1) == labels[chosen]).sum())
        return right / len(pixels)

    def reestimate(self, pixels: np.ndarray) -> None:
        """Sets the batch norms' statistics to those of the present weights on uint8 images."""
        kinds = tf.keras.layers.BatchNormalization
        norms = [layer for layer in self.network.layers if isinstance(layer, kinds)]
        statistics = [v for layer in norms for v in (layer.moving_mean, layer.moving_variance)]
        sums = [0.0] * len(statistics)
        starts = range(0, min(len(pixels), REESTIMATED_ON), EVALUATED_AT_ONCE)
        for start in starts:
            for variable in statistics:  # 0, so that a batch leaves its own share alone
                variable.assign(tf.zeros_like(variable))
            self._see(NORMALIZATION(pixels[start : start + EVALUATED_AT_ONCE]))
            sums = [total + v.numpy() for total, v in zip(sums, statistics, strict=True)]
        share = len(starts) * (1 - norms[0].momentum)
        for variable, total in zip(statistics, sums, strict=True):
            variable.assign(total / share)

    def _find_l2_factor(self, variable: tf.Variable, binary: bool) -> float:
        has_l2 = {
            "all": True,
            "not_binary": not binary,
            "kernels": "kernel" in variable.name,
            "binary": binary,
        }[self.trial.l2_on]
        of_norm = "/beta" in variable.name or "/gamma" in variable.name
        return has_l2 * (self.trial.norm_l2 if of_norm else 1.0)

    def _find_factor(self, variable: tf.Variable, binary: bool) -> float:
        if binary:
            return self.trial.kernel_lr
        return self.trial.bias_lr if "/beta" in variable.name else 1.0

    def _step(self, images: tf.Tensor, labels: tf.Tensor, rate: tf.Tensor):
        trial = self.trial
        targets = tf.one_hot(labels, CLASSES)
        targets = targets * (1 - trial.label_smoothing) + trial.label_smoothing / CLASSES
        taught = self._teach(images)
        if taught is not None:
            soft = tf.nn.softmax(taught)
            targets = trial.distill_weight * soft + (1 - trial.distill_weight) * targets
        if trial.last_width is not None:
            self.width.assign(trial.last_width + (trial.width - trial.last_width) * rate / trial.lr)
        with tf.GradientTape() as tape:
            logits = self.network(images, training=True)
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, self.variables)
        self.count.assign_add(1.0)
        for index, gradient in enumerate(gradients):
            variable, slots = self.variables[index], [slot[index] for slot in self.slots]
            own = trial.kernel_optimizer if self._binary[index] else None
            if own is None:
                l2 = self._l2[index] * (rate / trial.lr if trial.l2_falls else 1.0)
                gradient += l2 * variable
            adam = (own or trial.optimizer) == "adam"
            move = self._adam(gradient, *slots) if adam else self._sgd(gradient, slots[0])
            if own == "muon":
                move = orthogonalize(move)
            if own in ("muon", "turn"):
                move = rescale_filters(move)
            moved = variable - rate * self._factors[index] * move
            variable.assign(moved if own is None else rescale_filters(moved))
        if self.mean_network is not None:
            means = self.mean_network.trainable_variables
            for mean, variable in zip(means, self.variables, strict=True):
                mean.assign_sub((1 - trial.mean_teacher) * (mean - variable))
        right = tf.reduce_mean(tf.cast(tf.argmax(logits, 1) == labels, tf.float32))
        return loss, right

    def _teach(self, images: tf.Tensor) -> tf.Tensor | None:
        """The logits of the teacher, if there is one."""
        if self.mean_network is not None:
            # With the batch's own statistics: the running ones lag behind weights that change.
            return self.mean_network(images, training=True)
        return None if self.teacher is None else self.teacher(images, training=False)

    def _sgd(self, gradient: tf.Tensor, buffer: tf.Variable) -> tf.Tensor:
        momentum = self.trial.momentum
        buffer.assign(momentum * buffer + gradient)
        nesterov = self.trial.optimizer == "nesterov"
        return gradient + momentum * buffer if nesterov else buffer.read_value()

    def _adam(self, gradient: tf.Tensor, mean: tf.Variable, square: tf.Variable) -> tf.Tensor:
        mean.assign(BETA_1 * mean + (1 - BETA_1) * gradient)
        square.assign(BETA_2 * square + (1 - BETA_2) * tf.square(gradient))
        corrected = square / (1 - BETA_2**self.count)
        return mean / (1 - BETA_1**self.count) / (tf.sqrt(corrected) + EPSILON)
