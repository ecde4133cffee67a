"""Packs the best network of a run into `recu_tf/weights`, for all who install `recu_tf`.

```sh
python -m experiments.pretrained.pack RUN cifar10-resnet20 --data_path DIR
```

The accuracy in the index is measured here, on all test images, with the packed file. Everything
else comes from the run. A network of that name is replaced.
"""

import argparse
import datetime
import hashlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import tensorflow as tf

from experiments.pretrained.training_command import find_command
from recu_tf import data, evaluation, models, networks, pretrained
from recu_tf.messages import in_one_line
from recu_tf.models import sign_and_scale
from recu_tf.networks import make_keras_classifier
from recu_tf.runs import Run
from recu_tf.runs.atomic_write import write_aside, write_json
from recu_tf.settings import Settings

__all__ = ["pack"]

# The files of all networks together, in bytes.
LARGEST = 2**20
# The pixels of CIFAR as tensorflow-datasets has them are those that were published.
IMAGES = "as published"
# What in a run's config says that its training needs more than its settings.
STARTS = ("init_from", "stage1", "changes", "imported")


def pack(
    run: Run,
    name: str,
    *,
    data_path: str | None = None,
    images: str = IMAGES,
    note: str = "",
    command: str | None = None,
) -> pretrained.Pretrained:
    """Packs the best network of a run, and measures the packed file.

    Args:
        run: finished, of a published network and one of `recu_tf.data.DATASETS`.
        name: of the network from now on.
        data_path: where its test images lie; None means where the training found them.
        images: how the images that it was trained and measured on differ from the published ones.
        note: what more was chosen on the images that chose the epoch, such as the best of some
            runs.
        command: that trains such a network; None means that of the run's settings.

    Returns:
        The entry of the index; the file and the index are written.

    Raises:
        OSError, ImportError: the test images cannot be read, or the file not be written.
        ValueError: the network is no published one or has other normalisation than is usual for its
            data set, its training began with the weights of another network or was changed on its
            way and `command` is None, the packed file gives other outputs than the network, or all
            files together would be larger than a megabyte.
    """
    settings = Settings.of_run(run)
    if settings.model not in models.MODELS or settings.dataset not in data.DATASETS:
        raise ValueError(
            "`run` must be of a published network and data set, got "
            f"{settings.model} and {settings.dataset}."
        )
    known = data.DATASETS[settings.dataset]
    if run.normalization != known.normalization:
        raise ValueError(f"`run` must have the usual normalisation of {settings.dataset}.")
    if command is None:
        found = [key for key in STARTS if run.config.get(key)]
        if found:
            raise ValueError(
                f"`command` must be given: settings alone do not repeat {run.path}, whose config "
                f"has {', '.join(found)}."
            )
        command = shlex.join(find_command(settings))
    trained = networks.load(run.path).model
    content = sign_and_scale.pack(trained)
    network = models.build(settings.model, settings.dataset, **models.get_variant(trained))
    sign_and_scale.unpack(content, network)
    batches, _ = data.load_evaluation_set(
        settings.dataset,
        data_path or settings.data_path,
        normalization=run.normalization,
        batch_size=settings.batch_size_test,
    )
    measured = evaluation.evaluate(_predict_same(network, trained), batches)
    best = run.find_best_epoch()
    chosen_on = f"{run.chosen_on}, {note}" if note else run.chosen_on
    entry = pretrained.Pretrained(
        name=name,
        file=f"{name}.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        model=settings.model,
        dataset=settings.dataset,
        **models.get_variant(trained),
        class_names=run.config["class_names"],
        top_1=round(measured["top_1"], 6),
        top_5=round(measured["top_5"], 6),
        test_images=measured["images"],
        images=images,
        chosen_on=chosen_on,
        command=command,
        epochs=settings.epochs,
        epoch=best and best["epoch"],
        seed=settings.seed,
        versions=run.config["versions"],
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    )
    _write(entry, content)
    return entry


def _predict_same(
    network: tf.keras.Model, trained: tf.keras.Model
) -> Callable[[tf.Tensor], np.ndarray]:
    """A function from images to outputs of one network, which compares them with another's."""
    predict, expected = (make_keras_classifier(model).predict for model in (network, trained))

    def predict_and_compare(images: tf.Tensor) -> np.ndarray:
        outputs = np.asarray(predict(images))
        if not np.array_equal(outputs, expected(images)):
            raise ValueError("`run`: the packed network gives other outputs than the trained one.")
        return outputs

    return predict_and_compare


def _write(entry: pretrained.Pretrained, content: bytes) -> None:
    entries = {**pretrained.list_all(), entry.name: entry}
    sizes = [other.path.stat().st_size for name, other in entries.items() if name != entry.name]
    if sum(sizes) + len(content) > LARGEST:
        raise ValueError(
            f"`run`: with {entry.name}, all files in {pretrained.FOLDER} would have "
            f"{sum(sizes) + len(content):,} bytes, more than {LARGEST:,}."
        )
    fields = {name: asdict(entries[name]) for name in sorted(entries)}
    for values in fields.values():
        del values["name"]
    write_aside(entry.path, lambda aside: aside.write_bytes(content))
    write_json(pretrained.FOLDER / pretrained.INDEX, fields)


def main(arguments: list[str] | None = None) -> int:
    """Packs a run and prints what was measured; a mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m experiments.pretrained.pack")
    parser.add_argument("run", help="the run directory, whose best network is packed")
    parser.add_argument("name", help="of the network, such as cifar10-resnet20")
    parser.add_argument("--data_path", help="where its data set lies, if not where it was trained")
    parser.add_argument(
        "--images", default=IMAGES, help=f"how the images are kept (default: {IMAGES})"
    )
    parser.add_argument("--note", default="", help="what more was chosen: 'the best of 3 seeds'")
    parser.add_argument(
        "--command", help="that trains such a network (default: that of the run's settings)"
    )
    options = parser.parse_args(arguments)
    try:
        entry = pack(
            Run.open(options.run),
            options.name,
            data_path=options.data_path,
            images=options.images,
            note=options.note,
            command=options.command,
        )
    except (ValueError, OSError, ImportError) as error:
        print(f"pack: error: {in_one_line(error)}", file=sys.stderr)
        return 2
    size = entry.path.stat().st_size
    print(f"{entry.path}: {size:,} bytes, top-1 {entry.top_1:.2%} on {entry.measured_on}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
