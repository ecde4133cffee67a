"""`recu summary`: Larq's memory report of a network, or the operators of a TFLite file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.declarations import DATASETS, NETWORK_NAMES, NETWORK_OR_TFLITE
from experiments.options import Parser, list_names
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


def add_arguments(parser: Parser) -> None:
    """Adds the options of `recu summary`."""
    parser.network(
        "path",
        help=f"{NETWORK_OR_TFLITE}, or the name of a network: {list_names(NETWORK_NAMES)}",
    )
    parser.which()
    parser.checkpoint_model()
    parser.weights("the network has ReCU")
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
    summary(options.path, options.which, options.model, options.dataset, options.weights)


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


def _load(path: str, dataset: str | None, **options: str | None) -> tf.keras.Model:
    """The network at a path, which must have layers to report on."""
    from recu_tf import networks

    format = networks.find_format(path)
    if format is None:
        raise ValueError(
            f"NETWORK must be {NETWORK_OR_TFLITE}, or one of {', '.join(NETWORK_NAMES)}, got "
            f"{path!r}."
        )
    if dataset is not None and format not in ("checkpoint", "name"):
        raise ValueError(f"`dataset` is for published checkpoints, {path} defines its own.")
    network = networks.load(path, dataset=dataset, untrained=True, **options)
    if not network.has_layers:
        raise ValueError(
            f"{path} holds a graph and no Keras layers to report on. "
            f"recu export {path} reports which of its operators become binary."
        )
    return network.model


def summary(
    path: str,
    which: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
    weights: str | None = None,
) -> None:
    """Prints Larq's report: bits, memory and multiply-accumulates per layer, see `larq_summary`.

    A `.tflite` file has operators instead of layers: they are listed as `export.audit` does.

    Args:
        path: the name of a network, a network in any format of `recu_tf.networks.load` that has
            layers, or a `.tflite` file.
        which: "best" or "last" model of a run directory; None means best.
        model: network of a published checkpoint; inferred from its tensors if None.
        dataset: decides the variant and number of classes of a name, cifar10 if None, or imagenet
            for networks that have no other variant; of a checkpoint, inferred from its tensors if
            None.
        weights: of a name, see `recu_tf.models.build`. A network of larq-zoo then has its own
            quantizers.

    Raises:
        FileNotFoundError, ImportError: see `recu_tf.pytorch.read_checkpoint`.
        ValueError: it is damaged or none of these, or an option does not belong to it.
    """
    from recu_tf import larq_summary

    if path.endswith(".tflite") and Path(path).is_file():
        _print_operators(Path(path), which=which, model=model, dataset=dataset, weights=weights)
        return
    with quiet_standard_error():
        network = _load(path, dataset, which=which, model=model, weights=weights)
    larq_summary.summary(network)
