"""The TFLite files that a benchmark measures: given as such, or made from a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import export
from experiments.declarations import FOLDER_OR_NETWORK
from export.bundle.description import find_recorded_network, read_description
from export.conversion.baselines import convert_baselines
from export.keras_graph.inputs_outputs import draw_inputs
from export.tflite.flatbuffer import read
from recu_tf.networks import find_format
from recu_tf.runs.directories import has_run

__all__ = ["File", "check_paths", "find_files"]

INSIDE = ("model.tflite", "export/model.tflite")
# The steps of the rewriting are verified on so many.
REWRITING_IMAGES = 8


@dataclass(frozen=True)
class File:
    """A TFLite file to measure.

    Attributes:
        name: in the table.
        flatbuffer: its bytes.
        network: the network it was made from, or "" if unknown; files of one network are compared
            with each other.
        binary: whether it has binary operators.
        quantized: whether it has integers that stand for real numbers.
    """

    name: str
    flatbuffer: bytes
    network: str
    binary: bool
    quantized: bool = False


def check_paths(paths: Sequence[str], weights: str | None = None) -> None:
    """Refuses paths that do not exist or are given twice, and weights for more than one name.

    Raises:
        FileNotFoundError: there is nothing at one of them, and it is no name.
        ValueError: one of them is given twice, or `weights` is given without a name to have them or
            with several.
    """
    seen = set()
    names = [path for path in paths if find_format(path) == "name"]
    if weights is not None and len(names) != 1:
        raise ValueError(
            f"`weights` is for the name of one network, got {', '.join(names) or 'no name'}."
        )
    for path in map(Path, paths):
        if not path.exists() and find_format(path) not in ("name", "pretrained"):
            raise FileNotFoundError(f"{path} does not exist; NETWORK must be {FOLDER_OR_NETWORK}.")
        if path.resolve() in seen:
            raise ValueError(f"FILE must name each file once, got {path} twice.")
        seen.add(path.resolve())


def find_files(paths: Sequence[str], weights: str | None = None) -> list[File]:
    """Reads the files at paths, and makes those of networks.

    Args:
        paths: see `experiments.declarations.FOLDER_OR_NETWORK`; or names, see `export.load`.
        weights: of the name among them.

    Returns:
        For each network its binary file, which is the exported one if there is one, and its float32
        and int8 baselines.

    Raises:
        ValueError: a path is nothing that can be measured, is damaged or given twice.
    """
    files = [file for path in paths for file in _files(Path(path), weights)]
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"FILE must name each file once, got {name} twice.")
    return files


def _files(path: Path, weights: str | None) -> list[File]:
    if path.suffix == ".tflite" and path.is_file():
        return [_read(path, "")]
    inside = [path / name for name in INSIDE if (path / name).is_file()]
    source = path
    if inside and not has_run(path):
        source = _find_source(inside[0].parent)
        if source is None:
            return [_read(inside[0], "")]
    if find_format(source) is None:
        raise ValueError(f"{path} must be {FOLDER_OR_NETWORK}; it is none.")
    own = weights if find_format(source) == "name" else None
    model = export.float32_model(export.load(source, weights=own).model)
    network = str(path)
    try:
        if inside:
            main = _read(inside[0], network)
        else:
            inputs = draw_inputs(model, REWRITING_IMAGES)
            flatbuffer = export.convert(export.rewrite(model, inputs)[0])
            main = _describe(network, flatbuffer, network)
        baselines = convert_baselines(model)
    except ValueError as error:
        raise error if network in str(error) else ValueError(f"{path}: {error}") from error
    return [
        main,
        *(
            _describe(f"{network} ({kind})", flatbuffer, network)
            for kind, flatbuffer in baselines.items()
        ),
    ]


def _find_source(folder: Path) -> Path | None:
    """The network beside an exported folder that it was made of; None if that is not known."""
    try:
        return find_recorded_network(folder, read_description(folder))
    except (OSError, ValueError):
        return None


def _read(path: Path, network: str) -> File:
    try:
        return _describe(str(path), path.read_bytes(), network)
    except ValueError as error:
        raise ValueError(f"{path} is damaged or no TFLite file: {error}") from error


def _describe(name: str, flatbuffer: bytes, network: str) -> File:
    file = read(flatbuffer)
    tensors = (
        tensor for operator in file.operators for tensor in (*operator.inputs, *operator.outputs)
    )
    quantized = any(tensor is not None and tensor.quantized for tensor in tensors)
    return File(name, flatbuffer, network, file.has_binary_operators, quantized)
