"""Checks the folder of an export again: its files, its golden sample, and the network itself."""

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from export.bundle.description import find_recorded_network, read_description
from export.bundle.integrity import ReverificationError, check_files, hash_file, run_self_tests
from export.bundle.writer import restore
from export.export_options import Options
from export.loading import sources
from export.loading.sources import Source
from export.pipeline import Exported, export_network
from export.proof.verification import Verification
from export.refusals import ExportError
from recu_tf.data import DATASETS, Normalization
from recu_tf.messages import in_one_line
from recu_tf.pixel_scaling import PIXELS, is_identity

__all__ = ["Reverification", "ReverificationError", "reverify"]


@dataclass(frozen=True)
class Reverification:
    """The result of checks that all passed.

    Attributes:
        files: number of files whose SHA-256 is that of `model.json`.
        self_tests: for the delegate and each backend of the engine that can run the file, the
            result of the golden sample in words; empty without a sample.
        verification: against Keras; None where the network is not at hand.
        compared: the network that it was compared with, or why there was none, in words.
    """

    files: int
    self_tests: dict[str, str]
    verification: Verification | None
    compared: str

    def __str__(self) -> str:
        samples = [f"  {backend}: {result}" for backend, result in self.self_tests.items()]
        return "\n".join(
            [
                f"Files: {self.files} as model.json says",
                "Golden sample:" if samples else "Golden sample: there is none",
                *samples,
                f"Network: {self.compared}",
                *([] if self.verification is None else [str(self.verification)]),
                "Outcome: passed"
                + ("" if self.verification else ", without a comparison with the network"),
            ]
        )


def reverify(
    directory: str | os.PathLike,
    *,
    network: str | os.PathLike | None = None,
    dataset: str | None = None,
    data_path: str | None = None,
    images_path: str | os.PathLike | None = None,
) -> Reverification:
    """Checks the folder of an export again.

    An earlier export that was left aside, because a process was killed while it replaced it, is
    put back first.

    Args:
        directory: of the export.
        network: path of the exported network, as `export.load` takes it; None means the file
            beside the folder that `model.json` names, if it is there and unchanged.
        dataset: name of the data set to compare on, one of `recu_tf.data.DATASETS`; None means
            that of the export.
        data_path: where the data set lies, if not where the training found it.
        images_path: folder of images to compare on, as for `export.export_bundle`.

    Returns:
        What was checked.

    Raises:
        ReverificationError: a file is missing or has changed, or the outputs are not those of the
            golden sample or of the network.
        ValueError: `directory` holds no export, its `model.json` is damaged, or an argument does
            not fit.
        ImportError, OSError: something cannot be read.
    """
    directory = Path(directory)
    restore(directory)
    description = read_description(directory)
    files = check_files(directory, description["files"])
    flatbuffer = (directory / "model.tflite").read_bytes()
    self_tests = run_self_tests(directory, description)
    given = network is not None
    path = Path(network) if given else find_recorded_network(directory, description)
    if path is None:
        if any(value is not None for value in (dataset, data_path, images_path)):
            raise ValueError(
                "`dataset`, `data_path` and `images` need `network`, which is not at hand."
            )
        compared = "not at hand, so that nothing was compared with it (--network PATH names it)"
        return Reverification(files, self_tests, None, compared)
    source = sources.load(path)
    same = source.file is not None and hash_file(source.file) == description["source"]
    if not same and not given:
        compared = f"{path} has changed since it was exported: nothing was compared with it"
        return Reverification(files, self_tests, None, compared)
    own_images = (description.get("comparison") or {}).get("own_images")
    if own_images and images_path is None and dataset is None:
        compared = (
            f"{path}, but the export was verified on images of a folder: nothing was compared with "
            "it (--images DIR names the folder)"
        )
        return Reverification(files, self_tests, None, compared)
    source, known = _restore_knowledge(source, description)
    dataset = dataset or (None if source.records_dataset else known)
    options = _read_options(description)
    try:
        exported = export_network(
            source,
            options,
            dataset=dataset,
            data_path=data_path,
            images_path=images_path,
            written=flatbuffer,
        )
    except ExportError as error:
        which = "the network exported" if same else "by its SHA-256 another file than the exported"
        raise ReverificationError(
            f"{directory} FAILED against {path} ({which}): {error.reason}\n{error.report}"
        ) from error
    _check_description(directory, description, exported)
    compared = f"{path}, {'the one' if same else 'by its SHA-256 another file than'} exported"
    return Reverification(files, self_tests, exported.verification, compared)


def _restore_knowledge(source: Source, description: dict) -> tuple[Source, str | None]:
    """Gives a network the normalisation and classes of its export.

    Returns:
        The network, and the name of the export's data set.
    """
    comparison = description.get("comparison") or {}
    kept, dataset = comparison.get("normalization"), comparison.get("dataset")
    changes = {}
    try:
        if isinstance(kept, dict):
            changes["normalization"] = Normalization(tuple(kept["mean"]), tuple(kept["std"]))
        elif kept == PIXELS:
            changes["normalization"] = PIXELS
        if description.get("class_names") is not None:
            changes["class_names"] = list(map(str, description["class_names"]))
        if dataset is not None and dataset not in DATASETS:
            raise ValueError(f"there is no data set {dataset!r}")
        return replace(source, **changes), dataset
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`comparison` and `class_names` of model.json cannot be used for {source.name}: "
            f"{in_one_line(error)}"
        ) from None


def _check_description(directory: Path, description: dict, exported: Exported) -> None:
    """Checks that `model.json` describes the network as the comparison assumed."""
    image, wrong = description["input"], []
    normalization = exported.normalization
    if image["values"] == "normalized":
        stated = Normalization(tuple(image["mean"]), tuple(image["std"]))
        wrong += [] if stated == normalization else ["mean and std"]
    elif normalization is not None and image["type"] != "uint8":
        wrong += [] if is_identity(normalization) else ["values"]
    if description["output"]["kind"] not in exported.kinds:
        wrong.append("kind")
    names = description.get("class_names")
    labels = (directory / "labels.txt").read_text("utf-8").splitlines()
    if names is not None and [" ".join(str(name).split()) for name in names] != labels:
        wrong.append("class_names")
    if wrong:
        raise ReverificationError(
            f"{directory} FAILED: {', '.join(wrong)} of model.json are not those of the network"
        )


def _read_options(description: dict) -> Options:
    """Reads the options of the export; options that this version does not know are ignored."""
    names = {field.name for field in fields(Options)}
    try:
        return Options(
            **{name: value for name, value in description["options"].items() if name in names}
        )
    except TypeError as error:
        raise ValueError(f"`options` of model.json cannot be used: {error}.") from None
