"""Networks that a training starts from, in any format."""

import os

import tensorflow as tf

from recu_tf import choices, models, networks
from recu_tf.settings import Settings

__all__ = ["load_first_stage", "load_initial_network", "load_network"]


def load_network(path: str | os.PathLike, name: str, dataset: str) -> networks.Network:
    """Loads a network in any format, and names the setting in errors.

    Args:
        path: of it, in any format of `recu_tf.networks.load`; a run gives its best model.
        name: of the setting, "teacher", "init_from" or "stage1".
        dataset: of the training, whose variant a checkpoint is; that of images of the caller's own
            is inferred from its tensors.

    Raises:
        FileNotFoundError: there is none.
        ImportError: it is a checkpoint, and torch is not installed.
        ValueError: it cannot be loaded.
    """
    if networks.find_format(path) is None:
        raise FileNotFoundError(f"`{name}` must be {choices.NETWORK_FORMATS}, got {str(path)!r}.")
    try:
        return networks.load(path, dataset=None if dataset == choices.OWN else dataset)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from error


def _load_same(path: str | os.PathLike, name: str, settings: Settings) -> tf.keras.Model:
    """Loads a network and refuses one of another name than the settings say."""
    network = load_network(path, name, settings.dataset)
    if network.name not in (None, settings.model):
        kind = network.format if network.format in ("run", "checkpoint") else "network"
        raise ValueError(
            f"`{name}` must be a {kind} of {settings.model}, {path} is one of {network.name}."
        )
    return network.model


def load_initial_network(path: str | os.PathLike, settings: Settings) -> tf.keras.Model:
    """Loads the network that a training continues with.

    Args:
        path: of it, in any format of `recu_tf.networks.load`; a run gives its best model.
        settings: of the training, whose network and precision it has to have.

    Raises:
        FileNotFoundError: there is none.
        ImportError: it is a checkpoint, and torch is not installed.
        ValueError: it cannot be loaded, is another network, or has another precision.
    """
    model = _load_same(path, "init_from", settings)
    precision = models.get_precision(model)
    if precision != settings.network_precision:
        second = settings.network_precision == choices.BINARY
        hint = "; `stage1` takes networks with real kernels" if second else ""
        raise ValueError(
            f"`init_from` must be a network of `network_precision` {settings.network_precision}, "
            f"{path} is one of {precision}{hint}."
        )
    return model


def load_first_stage(path: str | os.PathLike, settings: Settings) -> tf.keras.Model:
    """Makes the network that a second stage starts from, with the weights of the first.

    Args:
        path: of the network of the first stage, in any format of `recu_tf.networks.load`; a run
            gives its best model.
        settings: of the second stage, whose network it has to be.

    Returns:
        The binary network, see `recu_tf.models.build_second_stage`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it cannot be loaded, is another network, has binary kernels or a tensor without
            a place, or the second stage is not binary.
    """
    if settings.network_precision != choices.BINARY:
        raise ValueError(
            "`network_precision` must be binary in the second stage, got "
            f"{settings.network_precision!r}."
        )
    model = _load_same(path, "stage1", settings)
    try:
        return models.build_second_stage(model, settings.model, settings.dataset)
    except ValueError as error:
        raise ValueError(f"`stage1`: {path}: {error}") from error
