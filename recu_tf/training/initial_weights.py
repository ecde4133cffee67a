"""Networks that a training starts from or learns from, in any format."""

import os

import tensorflow as tf

from recu_tf import choices, models, networks

__all__ = ["check_path", "load_initial_network", "load_teacher"]


def check_path(path: str | os.PathLike, name: str) -> None:
    """Refuses a path that has no format of a network, without opening it.

    Args:
        path: of a network.
        name: of the setting, "teacher" or "init_from".

    Raises:
        FileNotFoundError: there is nothing at `path` that `recu_tf.networks.load` takes.
    """
    if networks.find_format(path) is None:
        raise FileNotFoundError(f"`{name}` must be {networks.FORMATS}, got {str(path)!r}.")


def _load(path: str | os.PathLike, name: str, dataset: str) -> networks.Network:
    check_path(path, name)
    try:
        return networks.load(path, dataset=dataset)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from error


def load_initial_network(path: str | os.PathLike, *, model: str, dataset: str) -> tf.keras.Model:
    """Loads the network that a training starts from.

    Args:
        path: of it, in any format of `recu_tf.networks.load`; a run gives its best model.
        model: one of `recu_tf.models.MODELS`, which it has to be.
        dataset: one of `recu_tf.data.DATASETS`, whose variant it has to be.

    Raises:
        FileNotFoundError: there is none.
        ImportError: it is a checkpoint, and torch is not installed.
        ValueError: it cannot be loaded, is another network, or has real kernels.
    """
    network = _load(path, "init_from", dataset)
    if network.name not in (None, model):
        kind = "run" if network.run else "checkpoint"
        raise ValueError(
            f"`init_from` must be a {kind} of {model}, {path} is one of {network.name}."
        )
    if models.get_precision(network.model) != choices.BINARY:
        raise ValueError(f"`init_from` must have binary kernels, {path} has none.")
    return network.model


def load_teacher(
    path: str | os.PathLike, network: tf.keras.Model, *, dataset: str
) -> tf.keras.Model:
    """Loads a network to learn from, for the same images and classes.

    Args:
        path: of it, in any format of `recu_tf.networks.load`; a run gives its best model.
        network: that is to learn.
        dataset: one of `recu_tf.data.DATASETS`, on which the network is trained.

    Raises:
        FileNotFoundError: there is none.
        ImportError: it is a checkpoint, and torch is not installed.
        ValueError: it cannot be loaded, or takes other images or gives other classes.
    """
    teacher = _load(path, "teacher", dataset).model
    shapes = [(model.input_shape[1:], model.output_shape[1:]) for model in (teacher, network)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"`teacher` must map {shapes[1][0]} to {shapes[1][1]} like the network, got a map "
            f"from {shapes[0][0]} to {shapes[0][1]}."
        )
    return teacher
