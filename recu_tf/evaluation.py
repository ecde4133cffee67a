"""Evaluating a classifier on all test images of a data set."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from recu_tf import data, runs
from recu_tf.settings import Settings

__all__ = ["are_probabilities", "evaluate", "evaluation_set", "readable"]

# Keras' own bound: a probability of 0 would make the loss of all images infinite.
LEAST_PROBABILITY = 1e-7
# A thousand float16 probabilities may add up to 1 less closely than float32 does.
SUM_TOLERANCE = 1e-2


def evaluate(
    predict: Callable[[tf.Tensor], np.ndarray], batches: Iterable[tuple[tf.Tensor, tf.Tensor]]
) -> dict[str, float]:
    """Top-1, top-5 and loss over all batches, each image counted once.

    Outputs are logits, unless those of every single image are probabilities: none negative and
    their sum 1, as a network that ends in softmax gives them. The loss is the cross-entropy of
    either; a probability below 1e-7 counts as that, as in Keras. Of equal outputs the lower class
    comes first. An image with an output that is not a number is counted as wrong. With five
    classes or fewer every other image is right within five.

    Args:
        predict: from images (batch, height, width, channels) to outputs (batch, classes).
        batches: of (images, integer labels (batch,)).

    Returns:
        `top_1` and `top_5` (shares from 0 to 1), `loss` (mean cross-entropy), `images` (count).

    Raises:
        ValueError: there are no images, or a label is none of the network's classes.
    """
    count, right, losses = 0, np.zeros(2, int), np.zeros(2)
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
        numbers = ~np.isnan(outputs).any(axis=1)
        right += [(numbers & (rank < most)).sum() for most in (1, 5)]
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
        "top_1": float(right[0] / count),
        "top_5": float(right[1] / count),
        "loss": float(losses[1 if probabilities else 0] / count),
        "images": count,
    }


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether outputs (images, classes) are probabilities: none negative, their sums 1."""
    sums = outputs.sum(axis=1)
    return bool((outputs >= 0).all() and (np.abs(sums - 1) <= SUM_TOLERANCE).all())


def readable(batches: tf.data.Dataset, dataset: str) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """The batches; what of them cannot be read is an error in one line.

    Args:
        batches: of (images, labels).
        dataset: its name, for the error.

    Raises:
        ValueError: an image is damaged or missing.
    """
    try:
        yield from batches
    except tf.errors.OpError as error:
        line = data.broken_image(error)
        line = line or f"`data_path`: a test image of {dataset} cannot be read: {error.message}"
        raise ValueError(line) from error


def evaluation_set(run: runs.Run, data_path: str | None = None) -> tuple[tf.data.Dataset, int]:
    """The test images of a run's data set, normalised as in its training.

    Args:
        run: the run.
        data_path: where the data set lies, if not where the training found it.

    Returns:
        Batches of (float32 images, int64 labels), and how many images they hold.

    Raises:
        ValueError, ImportError, OSError: see `Settings.of_run`, `recu_tf.data.evaluation_set`.
    """
    settings = Settings.of_run(run)
    return data.evaluation_set(
        settings.dataset,
        data_path or settings.data_path,
        run.normalization,
        settings.batch_size_test,
        settings.skip_broken,
        run.config["num_classes"],
        run.config["class_names"],
    )
