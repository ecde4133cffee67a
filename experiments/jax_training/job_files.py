"""Writes a training as files that `run_jobs.py` trains: see README.md here."""

import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from experiments.jax_training.compiled_function import compile_function
from recu_tf.data import Normalization
from recu_tf.latent_weights import get_latent
from recu_tf.quantizers import ReCU
from recu_tf.runs.atomic_write import write_aside

__all__ = ["Job", "write_images", "write_job"]

# At most, of the images to evaluate on, which are cut into equal batches.
EVALUATED_AT_ONCE = 500


@dataclass(frozen=True)
class Job:
    """A training of a network on images in memory.

    Attributes:
        name: of the job.
        network: that trains, with the weights to begin with.
        train: from normalised images and labels to the loss of their step and the top-1 of the
            epoch so far.
        rate: the variable of the learning rate.
        metrics: variables that are 0 at the beginning of each epoch.
        normalization: of the images.
        batch_size: images per step. The last batch of an epoch is left out if it is smaller.
        seed: of the order of the images and their augmentation.
        padding: pixels by which images are shifted at most; half of them are flipped.
        rates: learning rates, (epochs, steps).
        taus: temperatures, (epochs,).
        training: indices of the images to train on.
        evaluated: indices of the images to evaluate on after each epoch.
        settings: for `read_result`; what it needs to make a run of the result.
    """

    name: str
    network: tf.keras.Model
    train: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
    rate: tf.Variable
    metrics: Sequence[tf.Variable]
    normalization: Normalization
    batch_size: int
    seed: int
    padding: int
    rates: np.ndarray
    taus: np.ndarray
    training: np.ndarray
    evaluated: np.ndarray
    settings: dict


def write_images(path: Path, splits: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes all images that jobs train and evaluate on, one split after the other.

    Args:
        path: of the file, .npz.
        splits: uint8 pixels (count, height, width, channels) and labels (count,) of each.
    """
    pixels, labels = (np.concatenate(arrays) for arrays in zip(*splits, strict=True))
    arrays = {"pixels": pixels, "labels": labels.astype(np.int64)}
    write_aside(path, lambda aside: np.savez(aside, **arrays))


def write_job(folder: Path, job: Job) -> None:
    """Writes a job into a directory of its own in a folder, whole or not at all.

    Args:
        folder: of all jobs; the directory has the job's name.
        job: to write.

    Raises:
        OSError: it cannot be written, or there is a job of that name.
    """
    shape = job.network.input_shape[1:]
    evaluated_at_once = math.gcd(len(job.evaluated), EVALUATED_AT_ONCE)
    images = tf.TensorSpec([job.batch_size, *shape], tf.float32)
    train = compile_function(job.train, [images, tf.TensorSpec([job.batch_size], tf.int64)])
    predict = compile_function(
        lambda batch: job.network(batch, training=False),
        [tf.TensorSpec([evaluated_at_once, *shape], tf.float32)],
    )
    names = _name_variables([*train.variables, *predict.variables, *job.network.weights])

    def find(variables: Sequence[tf.Variable]) -> list[str]:
        return [names[id(get_latent(variable).handle)][0] for variable in variables]

    values = {name: variable.numpy() for name, variable in names.values()}
    arrays = {name: getattr(job, name) for name in ("rates", "taus", "training", "evaluated")}
    used = {id(variable.handle) for variable in train.variables}
    taus = [part.tau for part in job.network.submodules if isinstance(part, ReCU)]
    described = {
        "batch_size": job.batch_size,
        "seed": job.seed,
        "padding": job.padding,
        **asdict(job.normalization),
        "rate": find([job.rate])[0],
        "taus": find(taus),
        "metrics": find([metric for metric in job.metrics if id(metric.handle) in used]),
        "weights": find(job.network.weights),
        "settings": job.settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished") as aside:
        directory = Path(aside) / job.name
        directory.mkdir()
        train.write(directory / "train", find(train.variables))
        predict.write(directory / "predict", find(predict.variables))
        np.savez(directory / "state.npz", **values)
        np.savez(directory / "arrays.npz", **arrays)
        (directory / "job.json").write_text(json.dumps(described))
        os.replace(directory, folder / job.name)


def _name_variables(variables: Sequence[tf.Variable]) -> dict[int, tuple[str, tf.Variable]]:
    """A name for each variable, by its handle, which is the same in whatever wraps it."""
    names = {}
    for variable in map(get_latent, variables):
        names.setdefault(id(variable.handle), (f"v{len(names)}", variable))
    return names
