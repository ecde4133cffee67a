"""Random images, and how many images of a size are enough."""

import math

import tensorflow as tf

from export.keras_graph.inputs_outputs import Inputs, draw_inputs

__all__ = ["MOST_IMAGES", "check_size", "draw_images", "limit_images"]

MOST_IMAGES = 256
# As many numbers as in those few hundred of ImageNet's size: 154 MB in float32. Of larger images
# there are fewer.
MOST_NUMBERS = MOST_IMAGES * 224 * 224 * 3
# With fewer it is unknown how far images move an output.
FEWEST_IMAGES = 4
# A first layer of 16 channels gives 1.4 GB for such an image of three.
LARGEST_IMAGE = 2**26


def _count_numbers(model: tf.keras.Model) -> int:
    """In one image, or whatever else the inputs take at a time."""
    return sum(math.prod(tensor.shape[1:]) for tensor in model.inputs)


def check_size(model: tf.keras.Model) -> None:
    """Refuses images so large that some of them and what a network makes of them fill the memory.

    Args:
        model: with inputs of a fixed size.

    Raises:
        ValueError: one of each input has more than 2^26 numbers.
    """
    if _count_numbers(model) > LARGEST_IMAGE:
        shapes = ", ".join(str(tuple(tensor.shape[1:])) for tensor in model.inputs)
        raise ValueError(
            f"`model` must take images of {LARGEST_IMAGE:,} numbers at most, got {shapes}, which "
            f"has {_count_numbers(model):,}."
        )


def limit_images(model: tf.keras.Model, most: int) -> int:
    """How many images to draw: as many as wanted, if memory suffices, but at least four.

    Args:
        model: that takes them.
        most: how many are wanted.
    """
    return max(FEWEST_IMAGES, min(most, MOST_NUMBERS // _count_numbers(model)))


def draw_images(model: tf.keras.Model, pixels: bool) -> Inputs:
    """Up to 256 random images, the same each time.

    Args:
        model: with inputs of a fixed size.
        pixels: whether its images are pixels from 0 to 255, and not normally distributed.

    Returns:
        See `export.keras_graph.inputs_outputs.draw_inputs`.
    """
    return draw_inputs(model, limit_images(model, MOST_IMAGES), pixels=pixels)
