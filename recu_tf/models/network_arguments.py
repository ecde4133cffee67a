"""What the functions that build networks are told of their images and classes."""

import numbers

__all__ = ["check_size", "read_input_shape", "read_num_classes"]


def read_input_shape(input_shape: object) -> tuple[int, int, int]:
    """Three positive integers, of whatever kind, as a tuple of Python's own.

    Args:
        input_shape: (height, width, channels) of images; a tuple, a list or an array.

    Raises:
        ValueError: it is something else.
    """
    try:
        sizes = tuple(input_shape)
    except (TypeError, ValueError):  # the latter from a shape of unknown rank
        sizes = ()
    if len(sizes) != 3 or not all(_is_integer(size) and size > 0 for size in sizes):
        raise ValueError(
            "`input_shape` must be (height, width, channels), three positive integers, got "
            f"{_describe(input_shape)}."
        )
    return tuple(map(int, sizes))


def check_size(name: str, input_shape: tuple[int, int, int], smallest: int) -> None:
    """Refuses images that are too small for a network.

    Args:
        name: of the network.
        input_shape: from `read_input_shape`.
        smallest: height and width, in pixels, that the network needs.

    Raises:
        ValueError: they are smaller.
    """
    if min(input_shape[:2]) < smallest:
        raise ValueError(
            f"`input_shape` must be at least ({smallest}, {smallest}) for {name}, got "
            f"{input_shape}."
        )


def read_num_classes(num_classes: object) -> int:
    """A number of classes.

    Args:
        num_classes: an integer of whatever kind.

    Raises:
        ValueError: it is less than two, or something else.
    """
    if not _is_integer(num_classes) or num_classes < 2:
        raise ValueError(
            f"`num_classes` must be an integer of at least 2, got {_describe(num_classes)}."
        )
    return int(num_classes)


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _describe(value: object) -> str:
    """A value in one line, arrays too."""
    return " ".join(repr(value).split())
