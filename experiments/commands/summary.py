"""`recu summary`: Larq's memory report of a network, or the operators of a TFLite file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.declarations import DATASETS, MODELS
from experiments.options import Parser
from experiments.quiet import quiet_standard_error

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "summary"
HELP = "print Larq's memory report of a network"
DESCRIPTION = (
    "Prints Larq's report: bits, memory and multiply-accumulates per layer. The temperatures of "
    "quantizers are left out, because no exported file holds them. Of a .tflite file, prints the "
    "operators."
)

CHECKPOINTS = (".pth.tar", ".pth")
FORMATS = (
    "a run directory, a .keras file, a .h5 file, a SavedModel directory, a published checkpoint "
    f"({', '.join(CHECKPOINTS)}), a .tflite file or one of {', '.join(MODELS)}"
)


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu summary`."""
    parser.add_argument(
        "path",
        metavar="MODEL",
        help="a run directory, a .keras file, a .h5 file, a SavedModel directory, a published "
        "checkpoint (.pth.tar, .pth), a .tflite file, or the name of a network: "
        f"{', '.join(MODELS)}",
    )
    parser.which()
    parser.checkpoint_model()
    parser.option(
        "--dataset",
        choices=[name for name in DATASETS if name != "folder"],
        help="of a name or a checkpoint: data set that decides the variant of the network and its "
        "number of classes",
        if_omitted="of a name, cifar10, or imagenet where that is the only variant; of a "
        "checkpoint, inferred from its tensors",
    )


def run(options: argparse.Namespace) -> None:
    """Prints the report of the network."""
    summary(options.path, options.which, options.model, options.dataset)


def _saved_model(path: Path) -> tf.keras.Model:
    # Only here: it needs the extra for the export, and takes seconds to load.
    from export.loading.saved_model import SavedFunction, load_saved_model

    network = load_saved_model(path)
    if any(isinstance(layer, SavedFunction) for layer in network.layers):
        raise ValueError(
            f"{path} holds a graph, and layers that cannot be read: there are none to report on. "
            f"recu export {path} tells what of it becomes binary."
        )
    return network


def _print_operators(path: Path, **options: str | None) -> None:
    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise ValueError(f"`{given}` is for networks with layers, {path} holds operators.")
    import export

    try:
        audited = export.audit(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    print(audited)


def _network(
    path: Path, which: str | None, model: str | None, dataset: str | None
) -> tf.keras.Model:
    from recu_tf import networks, pytorch
    from recu_tf.runs import Run

    is_checkpoint = path.is_file() and path.name.endswith(CHECKPOINTS)
    if not is_checkpoint and (model or dataset):
        option = "model" if model else "dataset"
        raise ValueError(f"`{option}` is for published checkpoints, {path} tells its own.")
    if path.is_dir() and (path / "config.json").exists():
        return Run.open(path).load_model(which or "best")
    if which is not None:
        raise ValueError(f"`which` is for run directories, {path} holds one network.")
    if is_checkpoint:
        state_dict, _ = pytorch.read_checkpoint(path)
        return pytorch.from_state_dict(state_dict, model=model, dataset=dataset)
    if path.is_file() and path.suffix in (".keras", ".h5"):
        load = networks.load_keras_file if path.suffix == ".keras" else networks.load_h5_file
        return load(path)
    if path.is_dir() and (path / "saved_model.pb").exists():
        return _saved_model(path)
    raise ValueError(f"MODEL must be {FORMATS}, got {str(path)!r}.")


def summary(
    path: str,
    which: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
) -> None:
    """Prints Larq's report: bits, memory and multiply-accumulates per layer, see `larq_summary`.

    A `.tflite` file has operators instead of layers: they are listed as `export.audit` does.

    Args:
        path: the name of a network, a run directory, a `.keras` or `.h5` file, a SavedModel
            directory of Keras, a published checkpoint or a `.tflite` file.
        which: "best" or "last" model of a run directory; None means best.
        model: network of a published checkpoint; told by its tensors if None.
        dataset: decides the variant and number of classes of a name, cifar10 if None, or imagenet
            for networks that have no other variant; of a checkpoint, told by its tensors if None.

    Raises:
        FileNotFoundError, ImportError: see `recu_tf.pytorch.read_checkpoint`.
        ValueError: it is damaged or none of these, or an option does not belong to it.
    """
    from recu_tf import larq_summary, models

    if path.endswith(".tflite") and Path(path).is_file():
        _print_operators(Path(path), which=which, model=model, dataset=dataset)
        return
    if path in MODELS:
        if which or model:
            wrong = "`which` is for run directories" if which else "`model` is for checkpoints"
            raise ValueError(f"{wrong}, {path} is a name.")
        small = path in models.CIFAR_NETWORKS
        network = models.build(path, dataset or ("cifar10" if small else "imagenet"))
    else:
        with quiet_standard_error():
            network = _network(Path(path), which, model, dataset)
    larq_summary.summary(network)
