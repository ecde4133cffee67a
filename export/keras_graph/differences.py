"""How far the outputs of two networks, or of a network and its file, lie apart for each image."""

import numpy as np

__all__ = ["compute_differences", "compute_share_within"]


def compute_share_within(got: np.ndarray, expected: np.ndarray, allowed: float) -> float:
    """The share of images whose every number lies within a distance of what is expected.

    Args:
        got: (images, ...); what is not finite is not within.
        expected: of the same shape.
        allowed: the distance.
    """
    if got.shape != expected.shape:
        return 0.0
    return float(np.mean(compute_differences(got, expected) <= allowed))


def compute_differences(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest difference in each image.

    Args:
        got: (images, ...).
        expected: (images, ...).

    Returns:
        (images,); infinite where a number is not finite, or where the shapes differ.
    """
    if got.shape != expected.shape:
        return np.full(len(expected), np.inf)
    with np.errstate(invalid="ignore"):
        apart = np.abs(got.astype(np.float64) - expected).reshape(len(expected), -1)
    return np.where(np.isfinite(apart), apart, np.inf).max(axis=1, initial=0)
