"""Images that differ grossly, with neighbours that are almost equal to them.

A wrong layer may show in only a few images of a data set: some branch may be active in one of a
hundred. But a flipped sign, of a value within rounding of 0, also shows in a few images only.
Neighbours, which are almost equal to such an image, distinguish the two cases: they activate the
branch too, but their values no longer lie within rounding of 0.
"""

import numpy as np

__all__ = ["GROUP", "add_neighbours", "find_grossly_different"]

MOST = 4
MANY = 0.25
# The image itself and its neighbours: one or two of eight may have flipped signs of their own.
GROUP = 8
# Of the standard deviation of an image: far beyond rounding, far below what can be seen.
NOISE = 1e-3


def find_grossly_different(badness: np.ndarray) -> np.ndarray:
    """Finds the numbers of up to four images that differ grossly, the worst first.

    If more than a quarter of all images do, one is enough: any image then shows what is wrong.

    Args:
        badness: (images,), 1 or more for images that differ grossly.
    """
    most = MOST if np.mean(badness >= 1) <= MANY else 1
    worst = np.argsort(-badness, kind="stable")[:most]
    return worst[badness[worst] >= 1]


def add_neighbours(images: np.ndarray) -> np.ndarray:
    """Adds to each image seven neighbours that are almost equal to it.

    Args:
        images: (count, ...), real numbers, or pixels from 0 to 255 as uint8, a tenth of which
            change by 1. Images of another type are repeated unchanged.

    Returns:
        (8 * count, ...): each image, followed by its neighbours.
    """
    rng = np.random.default_rng(0)
    copies = np.repeat(images, GROUP, axis=0)
    changed = np.arange(len(copies)) % GROUP != 0
    if copies.dtype == np.uint8:
        moves = rng.choice([-1, 0, 1], copies.shape, p=[0.05, 0.9, 0.05])
        near = np.clip(copies.astype(int) + moves, 0, 255).astype(np.uint8)
    elif copies.dtype.kind == "f":
        axes = tuple(range(1, copies.ndim))
        sizes = copies.std(axis=axes, keepdims=True)
        sizes = np.where(sizes > 0, sizes, np.abs(copies).max(axis=axes, keepdims=True))
        near = (copies + NOISE * sizes * rng.normal(size=copies.shape)).astype(copies.dtype)
    else:
        return copies
    copies[changed] = near[changed]
    return copies
