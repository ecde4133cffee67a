"""Networks that a training starts from or learns from, whatever they lie in."""

import os
from pathlib import Path

import tensorflow as tf

from recu_tf import pytorch, runs
from recu_tf.networks import load_keras_file
from recu_tf.settings import Settings

__all__ = ["check_path", "starting_network", "teacher_network"]


def check_path(path: str | os.PathLike, name: str) -> None:
    """Refuses what is neither a directory nor a `.keras` file, without opening it.

    Args:
        path: of a network.
        name: of the setting, "teacher" or "init_from".

    Raises:
        FileNotFoundError: it is neither.
    """
    path = Path(path)
    if not path.is_dir() and (path.suffix != ".keras" or not path.is_file()):
        raise FileNotFoundError(
            f"`{name}` must be a run directory"
            + (" or a .keras file" if name == "teacher" else ", a .keras file or a checkpoint")
            + f", got {str(path)!r}."
        )


def _network_in(path: Path, name: str) -> tf.keras.Model:
    """The best network of a run directory, or that of a `.keras` file."""
    check_path(path, name)
    return runs.Run.open(path).load_model("best") if path.is_dir() else load_keras_file(path)


def starting_network(path: str | os.PathLike, model: str, dataset: str) -> tf.keras.Model:
    """The network of a run directory, a `.keras` file or a published checkpoint.

    Args:
        path: of it; a run gives its best model.
        model: one of `recu_tf.models.MODELS`, which it has to be.
        dataset: one of `recu_tf.data.DATASETS`, whose variant it has to be.

    Raises:
        FileNotFoundError, ImportError, ValueError: there is none, it cannot be read, or it is
            another network.
    """
    path = Path(path)
    if path.is_dir():
        trained = Settings.of_run(runs.Run.open(path))
        if trained.model != model:
            raise ValueError(
                f"`init_from` must be a run of {model}, {path} is one of {trained.model}."
            )
    elif path.is_file() and path.suffix != ".keras":
        return _network_of_checkpoint(path, model, dataset)
    return _network_in(path, "init_from")


def _network_of_checkpoint(path: Path, model: str, dataset: str) -> tf.keras.Model:
    state_dict, _ = pytorch.read_checkpoint(path)
    try:
        found, _ = pytorch.infer_network(state_dict)
    except ValueError as error:
        raise ValueError(f"`init_from`, {path}: {error}") from error
    if found != model:
        raise ValueError(f"`init_from` must be a checkpoint of {model}, {path} is one of {found}.")
    try:
        return pytorch.from_state_dict(state_dict, model=model, dataset=dataset)
    except ValueError as error:
        raise ValueError(f"`init_from`, {path}: {error}") from error


def teacher_network(path: str | os.PathLike, network: tf.keras.Model) -> tf.keras.Model:
    """A network to learn from, of the same images and classes.

    Args:
        path: a run directory or a `.keras` file.
        network: that is to learn.

    Raises:
        FileNotFoundError, ValueError: there is none, it cannot be read, or takes other images or
            gives other classes.
    """
    teacher = _network_in(Path(path), "teacher")
    shapes = [(one.input_shape[1:], one.output_shape[1:]) for one in (teacher, network)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"`teacher` must map {shapes[1][0]} to {shapes[1][1]} like the network, got a map "
            f"from {shapes[0][0]} to {shapes[0][1]}."
        )
    return teacher
