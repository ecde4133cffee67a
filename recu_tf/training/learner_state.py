"""The variables that training steps change: reading them for a checkpoint, and restoring them."""

import numpy as np
import tensorflow as tf

from recu_tf.runs.checkpoints import Checkpoint
from recu_tf.training.step import Learner

__all__ = ["read_state", "restore_metrics", "restore_state"]


def _list_variables(learner: Learner) -> dict[str, list[tf.Variable]]:
    """Every variable that a step changes, by kind."""
    optimizer = learner.optimizer
    variables = {
        "network": learner.network.weights,
        "optimizer": list(optimizer.variables),
        "metrics": [variable for metric in learner.metrics for variable in metric.weights],
    }
    if isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer):
        state = optimizer._loss_scale  # Keras has no public way to set it
        variables["loss_scale"] = [state.current_loss_scale, state.counter]
    return variables


def read_state(learner: Learner) -> dict[str, np.ndarray]:
    """Reads the variables of a learner, by the names that checkpoints use: `network/0`, ...

    If several processes train, reading averages the variables over them: all processes have to
    read, in the same order.

    Args:
        learner: compiled, with its optimizer built.
    """
    return {
        f"{kind}/{index}": variable.numpy()
        for kind, variables in _list_variables(learner).items()
        for index, variable in enumerate(variables)
    }


def restore_state(learner: Learner, checkpoint: Checkpoint) -> None:
    """Assigns the values of a checkpoint to the variables of a learner.

    Args:
        learner: compiled, with its optimizer built.
        checkpoint: of the same training.

    Raises:
        ValueError: the checkpoint is of a different network or optimizer.
    """
    for kind, variables in _list_variables(learner).items():
        for index, variable in enumerate(variables):
            value = checkpoint.arrays.get(f"{kind}/{index}")
            if value is None or value.shape != tuple(variable.shape):
                raise ValueError(
                    f"The checkpoint belongs to a different training: it has no value for "
                    f"{variable.name}."
                )
            variable.assign(value)


def restore_metrics(learner: Learner, checkpoint: Checkpoint) -> None:
    """Assigns the metrics of a checkpoint again, which Keras resets when an epoch begins."""
    for index, variable in enumerate(_list_variables(learner)["metrics"]):
        variable.assign(checkpoint.arrays[f"metrics/{index}"])
