"""Top-1, top-5 and loss of a trained network in any format it may have."""

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from experiments.declarations import FOLDER_OR_NETWORK
from experiments.quiet import quiet_standard_error
from recu_tf import data, evaluation, models, networks
from recu_tf.choices import OWN
from recu_tf.data import Normalization
from recu_tf.data.disk.files import list_folder_files
from recu_tf.networks import Classifier
from recu_tf.pixel_scaling import make_identity_normalization
from recu_tf.runs import Run
from recu_tf.settings import Settings

__all__ = ["evaluate"]


def _find_in_folder(path: Path) -> Path:
    """The file in the folder of an export; of any other path, the path itself."""
    file = path / "model.tflite"
    return file if file.is_file() and networks.find_format(path) is None else path


def _check_path(path: Path, which: str | None, model: str | None, weights: str | None) -> bool:
    """Whether a path is a `.tflite` file; refuses what is neither that nor a network."""
    if path.suffix == ".tflite" and path.is_file():
        if which is not None:
            raise ValueError(f"`which` is for run directories, {path} holds one network.")
        if model is not None:
            raise ValueError(f"`model` is for published checkpoints, {path} defines its own.")
        if weights is not None:
            raise ValueError(f"`weights` is for names of networks, {path} has its own.")
        return True
    if networks.find_format(path) in ("name", "pretrained"):
        return False
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; it must be {FOLDER_OR_NETWORK}.")
    if networks.find_format(path) is None:
        raise ValueError(f"{path} must be {FOLDER_OR_NETWORK}; it is none.")
    return False


def _find_run(path: Path, dataset: str | None) -> Run | None:
    """The run that a file lies in; None elsewhere, where `dataset` must be given."""
    try:
        run = Run.find_around(path)
    except ValueError:
        # Other programs call files config.json as well.
        if dataset is None:
            raise
        return None
    if run is None:
        _require_dataset(path, dataset)
    return run


def _require_dataset(path: Path, dataset: str | None) -> None:
    if dataset is None:
        raise ValueError(
            f"`dataset` must be given for {path}, which lies in no run: one of "
            f"{', '.join(data.DATASETS)}."
        )


def _merge_settings(
    run: Run | None,
    path: Path,
    dataset: str | None,
    data_path: str | None,
    batch_size_test: int | None,
) -> Settings:
    """The settings of the run, with what is given in their place."""
    if run is None:
        _require_dataset(path, dataset)
    settings = Settings.of_run(run) if run else Settings(dataset=dataset)
    if settings.dataset == OWN:
        if dataset is None:
            raise ValueError(
                f"`dataset` must be given for {path}, which was trained on images of your own that "
                f"only the program that trained it has: one of {', '.join(data.DATASETS)}."
            )
        settings = Settings(dataset=dataset)
    elif dataset not in (None, settings.dataset):
        raise ValueError(
            f"`dataset` of the run {run.path} is {settings.dataset}, got {dataset!r}; a file "
            "outside of it may have any."
        )
    given = {"data_path": data_path, "batch_size_test": batch_size_test}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _make_classifier(path: Path, network: networks.Network) -> Classifier:
    try:
        return networks.make_keras_classifier(network.model)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _load_tflite_classifier(path: Path, normalization: Normalization) -> tuple[Classifier, str]:
    # Loads the engine, which no other network needs.
    from export.tflite.classifier import load_tflite_classifier

    try:
        return load_tflite_classifier(path.read_bytes(), normalization)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_exported_normalization(path: Path) -> Normalization | None:
    """What the folder of an export says of the images of its file; None elsewhere."""
    from export.bundle.description import read_description

    try:
        description = read_description(path.parent)["input"]
        if description["type"] == "float32" and description["values"] == "pixels":
            return make_identity_normalization(description["shape"][-1])
        if description["values"] == "normalized":
            return Normalization(tuple(description["mean"]), tuple(description["std"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        pass  # Other programs call files model.json as well.
    return None


def _check_classes(classifier: Classifier, settings: Settings, path: Path) -> None:
    name, classes = settings.dataset, models.DATASET_CLASSES[settings.dataset]
    if name == "folder":
        classes = len(list_folder_files("test", settings.data_path).class_names)
    if classifier.classes not in (None, classes):
        raise ValueError(
            f"`dataset`: {name} has {classes} classes, the network in {path} {classifier.classes}."
        )


def _check_shape(
    classifier: Classifier, shape: tf.TensorShape, settings: Settings, path: Path
) -> None:
    pairs = zip(classifier.input_shape, shape, strict=True)
    if any(wanted not in (None, given) for wanted, given in pairs):
        raise ValueError(
            f"`dataset`: images of {settings.dataset} are {tuple(shape)}, the network in {path} "
            f"takes {classifier.input_shape}."
        )


def evaluate(
    path: str | Path,
    *,
    which: str | None = None,
    model: str | None = None,
    weights: str | Path | None = None,
    dataset: str | None = None,
    data_path: str | None = None,
    batch_size_test: int | None = None,
) -> str:
    """Evaluates a trained network on all test images of a data set, each counted once.

    A run directory, and a file that lies in one, are evaluated on the data set of the run, with
    its normalisation. Any other network needs `dataset`, whose own normalisation is taken; the data
    set of a published checkpoint is inferred, and that of a network that comes along is known. A
    network that scales pixels itself, and a file in the folder of an export, have their own
    normalisation.

    Args:
        path: of a network in any format of `recu_tf.networks.load`, of a `.tflite` file, or of a
            folder with a `model.tflite` in it; or the name of a network.
        which: "best" or "last" model of a run directory; None means best.
        model: network of a published checkpoint; inferred if None.
        weights: of a name, see `recu_tf.models.build`.
        dataset: one of `recu_tf.data.DATASETS`.
        data_path: where the data set lies, if not where the run found it or in its usual place.
        batch_size_test: images per step; None means that of the run, or 128.

    Returns:
        Four lines: what was evaluated and on how many images, top-1, top-5 and loss.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it is damaged or none of the above, the data set is not known or not the
            network's, or an option does not belong to its format.
        ImportError, OSError: the data set cannot be read, or a package that reads it is missing.
    """
    path = _find_in_folder(Path(path))
    is_tflite = _check_path(path, which, model, weights)
    run = None
    if networks.find_format(path) not in ("run", "checkpoint", "name", "pretrained"):
        run = _find_run(path, dataset)
    with quiet_standard_error():
        if is_tflite:
            normalization = _read_exported_normalization(path)
        else:
            network = networks.load(
                path, which=which, model=model, dataset=dataset, weights=weights
            )
            run, normalization = network.run, network.normalization
            dataset = dataset or (None if run else network.dataset)
            if network.format != "pretrained":
                path = network.file or path
        settings = _merge_settings(run, path, dataset, data_path, batch_size_test)
        normalization = normalization or (run.normalization if run else None)
        normalization = normalization or data.DATASETS[settings.dataset].normalization
        if is_tflite:
            classifier, runtime = _load_tflite_classifier(path, normalization)
        else:
            classifier = _make_classifier(path, network)
    _check_classes(classifier, settings, path)
    batches, count = data.load_evaluation_set(
        settings.dataset,
        settings.data_path,
        normalization=normalization,
        batch_size=settings.batch_size_test,
    )
    _check_shape(classifier, batches.element_spec[0].shape[1:], settings, path)
    if is_tflite:
        print(f"Running {count:,} test images of {settings.dataset} with {runtime}", flush=True)
    try:
        values = evaluation.evaluate(
            classifier.predict, evaluation.name_broken_images(batches, settings.dataset)
        )
    except tf.errors.OpError as error:
        raise ValueError(f"{path} cannot be run on these images: {error.message}") from error
    return (
        f"{path} on {values['images']:,} test images of {settings.dataset}\n"
        f"top-1 {values['top_1']:.2%}\n"
        f"top-5 {values['top_5']:.2%}\n"
        f"loss  {values['loss']:.4f}"
    )
