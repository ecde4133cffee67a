"""Which input of a network takes images: one rule for Keras models and for files."""

from collections.abc import Sequence

import tensorflow as tf

__all__ = ["find_image_input", "find_image_inputs"]

TYPES = ("float32", "float16", "bfloat16", "float64", "uint8")
CHANNELS = (1, 3)


def find_image_inputs(shapes: Sequence[Sequence[int | None]], types: Sequence[str]) -> list[int]:
    """The inputs that may take images.

    These are the inputs (batch, height, width, channels) of floating-point numbers or uint8; where
    some of them have 1 or 3 channels, as photographs do, only those.

    Args:
        shapes: of all inputs, with the batch.
        types: of all inputs, named as in NumPy.

    Returns:
        Their numbers, in order.
    """
    maps = [
        number
        for number, (shape, type_name) in enumerate(zip(shapes, types, strict=True))
        if len(shape) == 4 and type_name in TYPES
    ]
    return [number for number in maps if shapes[number][-1] in CHANNELS] or maps


def find_image_input(model: tf.keras.Model) -> int | None:
    """The number of the first input that may take images; None if there is none."""
    known = [tensor for tensor in model.inputs if tensor.shape.rank is not None]
    if len(known) < len(model.inputs):
        return None
    shapes, types = ([tuple(t.shape) for t in known], [t.dtype.name for t in known])
    return next(iter(find_image_inputs(shapes, types)), None)
