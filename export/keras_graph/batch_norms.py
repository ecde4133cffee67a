"""What a batch norm computes: the axis that it acts on, its weights and its factors."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from export.keras_graph.graph import Step

__all__ = ["BatchNorm", "is_on_channels", "read_batch_norm"]


@dataclass(frozen=True)
class BatchNorm:
    """The weights of a batch norm; `gamma` is 1 and `beta` 0 where the layer has none.

    Attributes:
        gamma, beta, mean, variance: float32 (channels,).
        epsilon: added to the variance.
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    @property
    def factor(self) -> np.ndarray:
        """By which each channel is multiplied, (channels,)."""
        return self.gamma / np.sqrt(self.variance + self.epsilon)


def is_on_channels(step: Step) -> bool:
    """Whether a step is a batch norm on the last axis, which the converter folds."""
    return isinstance(step.layer, tf.keras.layers.BatchNormalization) and list(step.layer.axis) == [
        len(step.output.shape) - 1
    ]


def read_batch_norm(step: Step) -> BatchNorm:
    """Reads the weights of a step that is a batch norm."""
    layer, weights = step.layer, list(step.weights)
    *_, mean, variance = weights
    gamma = weights.pop(0) if layer.scale else np.ones_like(variance)
    beta = weights.pop(0) if layer.center else np.zeros_like(variance)
    return BatchNorm(gamma, beta, mean, variance, layer.epsilon)
