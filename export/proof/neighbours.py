"""Images that differ grossly, with others so near to them that they take the same way.

A few images of a data set can be the only ones that a wrong layer shows in: a branch may wake in
one of a hundred. But a sign that turned, of a value within rounding of 0, shows in a few as well.
Images that hardly differ from such a one tell the two apart: they wake the branch too, while their
values no longer lie within rounding of 0.
"""

import numpy as np

__all__ = ["GROUP", "add_neighbours", "find_grossly_different"]

MOST = 4
MANY = 0.25
# The image itself and its neighbours: one or two of eight may have turned signs of their own.
GROUP = 8
# Of the standard deviation of an image: far beyond rounding, far below what can be seen.
NOISE = 1e-3


def find_grossly_different(badness: np.ndarray) -> np.ndarray:
    """The numbers of up to four images that differ the most, if any differ grossly.

    Where more than a quarter of all do, it is one image: any image then shows what is wrong.

    Args:
        badness: (images,), from 1 on for those that differ grossly.
    """
    most = MOST if np.mean(badness >= 1) <= MANY else 1
    worst = np.argsort(-badness, kind="stable")[:most]
    return worst[badness[worst] >= 1]


def add_neighbours(images: np.ndarray) -> np.ndarray:
    """Each image with seven that hardly differ from it, eight after eight.

    Args:
        images: (count, ...), of real numbers, or pixels from 0 to 255 as uint8, of which a tenth
            move by 1; of another type they are repeated as they are.
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
