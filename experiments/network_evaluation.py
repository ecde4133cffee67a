"""Top-1, top-5 and loss of a trained network in any format it may have."""

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from experiments.quiet import quiet_standard_error
from recu_tf import data, evaluation, json_text, models, networks, pytorch
from recu_tf.data.disk.files import list_folder_files
from recu_tf.networks import Classifier
from recu_tf.pixel_scaling import make_identity_normalization, scales_pixels
from recu_tf.pytorch.identification import resolve_network
from recu_tf.runs import Run
from recu_tf.settings import Settings

__all__ = ["evaluate"]

CHECKPOINTS = (".pth.tar", ".pth")
FORMATS = (
    "a run directory, a .keras file, a SavedModel directory, a published checkpoint "
    f"({', '.join(CHECKPOINTS)}) or a .tflite file"
)


def _kind(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; it must be {FORMATS}.")
    if path.is_dir():
        kinds = {"run": "config.json", "saved_model": "saved_model.pb"}
        found = [kind for kind, name in kinds.items() if (path / name).exists()]
    else:
        kinds = {"keras": ".keras", "checkpoint": CHECKPOINTS, "tflite": ".tflite"}
        found = [kind for kind, suffix in kinds.items() if path.name.endswith(suffix)]
    if not found:
        raise ValueError(f"{path} must be {FORMATS}; it is none.")
    return found[0]


def _run_around(path: Path, dataset: str | None) -> Run | None:
    """The run that a file lies in, if any."""
    try:
        return Run.find_around(path)
    except ValueError:
        # Other programs call files config.json as well.
        if dataset is None:
            raise
        return None


def _settings(
    run: Run | None,
    path: Path,
    dataset: str | None,
    data_path: str | None,
    batch_size_test: int | None,
) -> Settings:
    """What is told, over what the run knows."""
    if run is None and dataset is None:
        raise ValueError(
            f"`dataset` must be given for {path}, which lies in no run: one of "
            f"{', '.join(data.DATASETS)}."
        )
    settings = Settings.of_run(run) if run else Settings(dataset=dataset)
    if dataset not in (None, settings.dataset):
        raise ValueError(
            f"`dataset` of the run {run.path} is {settings.dataset}, got {dataset!r}; a file "
            "outside of it may have any."
        )
    told = {"data_path": data_path, "batch_size_test": batch_size_test}
    return replace(settings, **{name: one for name, one in told.items() if one is not None})


def _file_classifier(
    kind: str, path: Path, normalization: data.Normalization
) -> tuple[Classifier, data.Normalization]:
    """The network in a file, and the normalisation of the images that it takes."""
    try:
        if kind == "saved_model":
            return networks.saved_model_classifier(path), normalization
        if kind == "tflite":
            import export

            normalization = _exported_normalization(path) or normalization
            return export.tflite_classifier(path.read_bytes(), normalization), normalization
        network = networks.load_keras_file(path)
        if scales_pixels(network):
            normalization = make_identity_normalization(network.inputs[0].shape[-1])
        return networks.keras_classifier(network), normalization
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from error


def _exported_normalization(path: Path) -> data.Normalization | None:
    """What the folder of an export says of the images of its file; None elsewhere."""
    try:
        told = json_text.parse(path.with_name("model.json").read_text("utf-8"))["input"]
        if told["type"] == "float32" and told["values"] == "pixels":
            return make_identity_normalization(told["shape"][-1])
        if told["values"] == "normalized":
            return data.Normalization(tuple(told["mean"]), tuple(told["std"]))
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
    which: str | None = None,
    model: str | None = None,
    dataset: str | None = None,
    data_path: str | None = None,
    batch_size_test: int | None = None,
) -> str:
    """Evaluates a trained network on all test images of a data set, each counted once.

    A run directory, and a file that lies in one, tell the data set and how its images are
    normalised. Elsewhere `dataset` tells, and the normalisation is that data set's own; a
    published checkpoint's is guessed. A `.keras` file that scales pixels itself, and a file in the
    folder of an export, have their own. For what loading a SavedModel means, see
    `recu_tf.networks.saved_model_classifier`.

    Args:
        path: a run directory, a `.keras` file, a SavedModel directory, a published checkpoint or a
            `.tflite` file.
        which: "best" or "last" model of a run directory; None means best.
        model: network of a published checkpoint; guessed if None.
        dataset: one of `recu_tf.data.DATASETS`.
        data_path: where the data set lies, if not where the run found it or in its usual place.
        batch_size_test: images per step; None means that of the run, or 256.

    Returns:
        What was evaluated, on how many images, and top-1, top-5 and loss, in four lines.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: it is damaged or none of the above, the data set is not told or not the
            network's, or an option does not belong to it.
        ImportError, OSError: the data set cannot be read, or a package that reads it is missing.
    """
    path = Path(path)
    kind = _kind(path)
    if which is not None and kind != "run":
        raise ValueError(f"`which` is for run directories, {path} holds one network.")
    if model is not None and kind != "checkpoint":
        raise ValueError(f"`model` is for published checkpoints, {path} tells its own.")
    run = state_dict = None
    if kind == "run":
        run = Run.open(path)
        path = run.model_path(which or "best")
    elif kind == "checkpoint":
        state_dict, _ = pytorch.read_checkpoint(path)
        model, dataset = resolve_network(state_dict, model=model, dataset=dataset)
    else:
        run = _run_around(path, dataset)
    settings = _settings(run, path, dataset, data_path, batch_size_test)
    normalization = (run or data.DATASETS[settings.dataset]).normalization
    with quiet_standard_error():
        if kind == "run":
            classifier = networks.keras_classifier(run.load_model(which or "best"))
        elif kind == "checkpoint":
            network = pytorch.from_state_dict(state_dict, model=model, dataset=dataset)
            classifier = networks.keras_classifier(network)
        else:
            classifier, normalization = _file_classifier(kind, path, normalization)
    _check_classes(classifier, settings, path)
    batches, count = data.load_evaluation_set(
        settings.dataset,
        settings.data_path,
        normalization=normalization,
        batch_size=settings.batch_size_test,
    )
    _check_shape(classifier, batches.element_spec[0].shape[1:], settings, path)
    if kind == "tflite":
        print(f"Running {count:,} test images of {settings.dataset}, one by one", flush=True)
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
