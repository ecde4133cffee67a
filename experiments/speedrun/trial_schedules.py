"""Learning rate and temperature of a trial, at any point of it."""

import math

from experiments.speedrun.trial import Trial
from recu_tf.schedules import exponential_tau

__all__ = ["learning_rate", "temperature"]


def learning_rate(trial: Trial, epoch: float, epochs: int) -> float:
    """The learning rate after a number of epochs, which need not be whole.

    Args:
        trial: with the shape.
        epoch: from 0, at most `epochs`.
        epochs: of the stage.
    """
    if trial.lr_shape == "cos":
        # As published: the rate of an epoch is that of its beginning.
        epoch = math.floor(epoch)
        if trial.warm_up and epoch < trial.warm_up:
            return trial.lr * (epoch + 1) / trial.warm_up
        start = trial.warm_up - 1 if trial.warm_up else 0
        return trial.lr * (1 + math.cos(math.pi * (epoch - start) / (epochs - start))) / 2
    if epoch < trial.warm_up:
        return trial.lr * (0.05 + 0.95 * epoch / trial.warm_up)
    fraction = (epoch - trial.warm_up) / (epochs - trial.warm_up)
    if trial.lr_shape == "linear":
        return trial.lr * (1 - fraction)
    if trial.lr_shape == "quadratic":
        return trial.lr * (1 - fraction) ** 2
    return trial.lr * (1 + math.cos(math.pi * fraction)) / 2


def temperature(trial: Trial, epoch: float, epochs: int) -> float:
    """Tau after a number of epochs."""
    if trial.tau_shape == "constant":
        return trial.tau_min
    if trial.tau_shape == "linear":
        return trial.tau_min + (trial.tau_max - trial.tau_min) * epoch / epochs
    return exponential_tau(epoch, epochs, trial.tau_min, trial.tau_max)
