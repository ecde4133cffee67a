"""Which training images are held out to choose the best epoch on."""

import numpy as np

__all__ = ["choose_held_out"]

# Not the seed of a training: trainings with different seeds are compared on the same images.
SEED = 0


def choose_held_out(labels: np.ndarray, share: float) -> np.ndarray:
    """Chooses a share of the images of each class, always the same ones.

    Args:
        labels: int (count,).
        share: of the images of each class, above 0 and below 1; rounded, but a class keeps at least
            one image.

    Returns:
        bool (count,), True for the images that are held out.

    Raises:
        ValueError: no image would be.
    """
    held_out = np.zeros(len(labels), bool)
    order = np.argsort(labels, kind="stable")
    classes, first = np.unique(labels[order], return_index=True)
    for number, rows in zip(classes, np.split(order, first[1:]), strict=True):
        count = min(round(share * len(rows)), len(rows) - 1)
        chosen = np.random.default_rng([SEED, int(number)]).permutation(len(rows))[:count]
        held_out[rows[chosen]] = True
    if not held_out.any():
        raise ValueError(
            f"`validation_split` must hold out one image or more, got {share} of {len(labels)} "
            f"images of {len(classes)} classes."
        )
    return held_out
