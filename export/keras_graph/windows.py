"""The arithmetic of windows along one axis, in pixels, as TensorFlow defines it."""

__all__ = ["compute_extent", "compute_same_padding", "count_missing"]


def compute_extent(kernel: int, dilation: int) -> int:
    """Computes how many pixels a window covers, from the first that it reads to the last."""
    return (kernel - 1) * dilation + 1


def count_missing(size: int, window: int, stride: int) -> int:
    """Counts the pixels that SAME has to add; a negative number of them is left over.

    Args:
        size: of the input.
        window: see `compute_extent`.
        stride: of the windows.
    """
    return (-(-size // stride) - 1) * stride + window - size


def compute_same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Computes how much SAME pads, before and behind; see `count_missing`."""
    total = max(count_missing(size, window, stride), 0)
    return total // 2, total - total // 2
