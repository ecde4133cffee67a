"""The images of a trial: in memory, shuffled and augmented once per epoch."""

import numpy as np

from experiments.speedrun.trial import Trial
from recu_tf import data
from recu_tf.data.held_out import choose_held_out

__all__ = ["augment_epoch", "load_images"]


def load_images(
    trial: Trial, data_path: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and labels to train on, and those to evaluate on.

    Args:
        trial: that says how many are held out.
        data_path: data directory of tensorflow-datasets.

    Returns:
        uint8 (count, 32, 32, 3) and int64 (count,), twice.
    """
    pixels, labels = data.load("cifar10", "train", data_path, normalized=False)
    if not trial.held_out:
        return pixels, labels, *data.load("cifar10", "test", data_path, normalized=False)
    held_out = choose_held_out(labels, trial.held_out)
    return pixels[~held_out], labels[~held_out], pixels[held_out], labels[held_out]


def augment_epoch(trial: Trial, pixels: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """The images of an epoch in a random order, shifted and flipped.

    Args:
        trial: whose seed and augmentation apply.
        pixels: uint8 (count, height, width, channels).
        epoch: from 0; the same epoch gives the same images.

    Returns:
        uint8 images in the new order, and that order.
    """
    random = np.random.default_rng([trial.seed, epoch])
    count, height, width, _ = pixels.shape
    order = random.permutation(count)
    pad = trial.padding
    padded = np.pad(pixels, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    top, left = random.integers(0, 2 * pad + 1, (2, count))
    if trial.alternating_flips:
        first = np.random.default_rng(trial.seed).random(count) < 0.5
        flipped = (first ^ bool(epoch % 2))[order]
    else:
        flipped = random.random(count) < 0.5
    columns = np.where(flipped[:, None], np.arange(width)[::-1], np.arange(width)) + left[:, None]
    rows = np.arange(height) + top[:, None]
    return padded[order[:, None, None], rows[:, :, None], columns[:, None, :]], order
