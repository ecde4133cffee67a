"""Evaluates a classifier on all test images of a data set.

Examples:
    A function from images to outputs, here one that always gives class 1 of 3:

    >>> def predict(images):
    ...     return np.tile([0.0, 1.0, 0.0], (len(images), 1))
    >>> batches = [(np.zeros((4, 8, 8, 3)), np.array([0, 1, 1, 2]))]
    >>> recu_tf.evaluation.evaluate(predict, batches)["top_1"]
    0.5
    >>> recu_tf.evaluation.are_probabilities(predict(batches[0][0]))
    True

    The images of a run:

    >>> config = {
    ...     "settings": {"model": "resnet20_1w1a", "dataset": "digits"},
    ...     "num_classes": 10,
    ...     "class_names": list("0123456789"),
    ...     "input_shape": [32, 32, 3],
    ...     "normalization": {"mean": [0.305] * 3, "std": [0.324] * 3},
    ... }
    >>> run = recu_tf.runs.Run.create("my_run", config)
    >>> batches, count = recu_tf.evaluation.load_evaluation_set(run)
    >>> sum(len(labels) for _, labels in recu_tf.evaluation.name_broken_images(batches, "digits"))
    360
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from recu_tf import data, runs
from recu_tf.choices import OWN
from recu_tf.settings import Settings

__all__ = ["are_probabilities", "evaluate", "load_evaluation_set", "name_broken_images"]

# Keras' bound: a probability of 0 would make the loss of all images infinite.
LEAST_PROBABILITY = 1e-7
# The sum of a thousand float16 probabilities is less exactly 1 than in float32.
SUM_TOLERANCE = 1e-2


def evaluate(
    predict: Callable[[tf.Tensor], np.ndarray], batches: Iterable[tuple[tf.Tensor, tf.Tensor]]
) -> dict[str, float]:
    """Top-1, top-5 and loss over all batches, each image counted once.

    Outputs are logits, unless those of every image are probabilities, as a softmax returns them:
    none is negative, and their sum is 1. The loss is the cross-entropy of either; as in Keras, a
    probability below 1e-7 counts as 1e-7. Of equal outputs the lower class ranks first. An image
    with a NaN among its outputs counts as wrong. With five classes or fewer, every other image is
    correct within the top 5.

    Args:
        predict: from images (batch, height, width, channels) to outputs (batch, classes).
        batches: of (images, integer labels (batch,)).

    Returns:
        `top_1` and `top_5` (shares from 0 to 1), `loss` (mean cross-entropy), `images` (count).

    Raises:
        ValueError: there are no images, or a label is not one of the network's classes.
    """
    count, correct, losses = 0, np.zeros(2, int), np.zeros(2)
    probabilities = True
    for images, labels in batches:
        outputs, labels = np.asarray(predict(images), np.float64), np.asarray(labels)
        classes = outputs.shape[1]
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"`batches` must have labels from 0 to {classes - 1}, the network's classes, got "
                f"{labels.min()} to {labels.max()}."
            )
        count += len(labels)
        of_label = np.take_along_axis(outputs, labels[:, np.newaxis], axis=1)
        earlier = np.arange(classes) < labels[:, np.newaxis]
        rank = ((outputs > of_label) | ((outputs == of_label) & earlier)).sum(axis=1)
        is_number = ~np.isnan(outputs).any(axis=1)
        correct += [(is_number & (rank < top)).sum() for top in (1, 5)]
        probabilities = probabilities and are_probabilities(outputs)
        largest = outputs.max(axis=1, keepdims=True)
        log_sums = np.log(np.exp(outputs - largest).sum(axis=1, keepdims=True)) + largest
        losses += (
            (log_sums - of_label).sum(),
            -np.log(np.maximum(of_label, LEAST_PROBABILITY)).sum(),
        )
    if not count:
        raise ValueError("`batches` must hold one or more images, got none.")
    return {
        "top_1": float(correct[0] / count),
        "top_5": float(correct[1] / count),
        "loss": float(losses[1 if probabilities else 0] / count),
        "images": count,
    }


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether outputs (count, classes) are probabilities: none is negative, the sums are 1."""
    sums = outputs.sum(axis=1)
    return bool((outputs >= 0).all() and (np.abs(sums - 1) <= SUM_TOLERANCE).all())


def name_broken_images(
    batches: tf.data.Dataset, dataset: str
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Yields batches of the same shapes; TensorFlow's error about an image becomes a ValueError.

    Args:
        batches: of images (batch, height, width, channels) and labels (batch,).
        dataset: name of the data set, for the error.

    Raises:
        ValueError: an image is damaged or missing; the message is a line that names it.
    """
    try:
        yield from batches
    except tf.errors.OpError as error:
        raise ValueError(
            data.describe_broken_image(error)
            or f"`data_path`: a test image of {dataset} cannot be read: {error.message}"
        ) from error


def load_evaluation_set(run: runs.Run, data_path: str | None = None) -> tuple[tf.data.Dataset, int]:
    """The test images of a run's data set, normalised as in its training.

    Args:
        run: the run.
        data_path: directory that holds the data set; None means the directory of the training.

    Returns:
        Batches of float32 images (batch, height, width, channels) and int64 labels (batch,), and
        the number of images.

    Raises:
        ValueError: the run has images of the caller's own, which it does not keep; see also
            `Settings.of_run`.
        ValueError, ImportError, OSError: see `recu_tf.data.load_evaluation_set`.
    """
    settings = Settings.of_run(run)
    if settings.dataset == OWN:
        raise ValueError(
            f"`dataset`: {run.path} was trained on images of your own, which only the program that "
            "trained it has."
        )
    return data.load_evaluation_set(
        settings.dataset,
        data_path or settings.data_path,
        normalization=run.normalization,
        batch_size=settings.batch_size_test,
        skip_broken=settings.skip_broken,
        num_classes=run.config["num_classes"],
        class_names=run.config["class_names"],
    )
