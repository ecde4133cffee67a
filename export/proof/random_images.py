"""Random images, and how many images of a size are enough."""

import math

import numpy as np
import tensorflow as tf

from recu_tf.pixel_scaling import find_image_input

__all__ = ["MOST_IMAGES", "at_most", "check_size", "random_images"]

MOST_IMAGES = 256
# As many numbers as in those few hundred of ImageNet's size: 154 MB in float32. Of larger images
# there are fewer.
MOST_NUMBERS = MOST_IMAGES * 224 * 224 * 3
# It takes some to tell how far images move an output.
FEWEST_IMAGES = 4
# A first layer of 16 channels gives 1.4 GB for such an image of three.
LARGEST_IMAGE = 2**26


def _numbers(model: tf.keras.Model) -> int:
    """In one image, or whatever else the inputs take at a time."""
    return sum(math.prod(one.shape[1:]) for one in model.inputs)


def check_size(model: tf.keras.Model) -> None:
    """Refuses images so large that some of them and what a network makes of them fill the memory.

    Args:
        model: with inputs of a fixed size.

    Raises:
        ValueError: one of each input has more than 2^26 numbers.
    """
    if _numbers(model) > LARGEST_IMAGE:
        shapes = ", ".join(str(tuple(one.shape[1:])) for one in model.inputs)
        raise ValueError(
            f"`model` must take images of {LARGEST_IMAGE:,} numbers at most, got {shapes}, which "
            f"has {_numbers(model):,}."
        )


def at_most(model: tf.keras.Model, most: int) -> int:
    """That many images, or as many as memory is for; never less than four.

    Args:
        model: that takes them.
        most: how many there should be.
    """
    return max(FEWEST_IMAGES, min(most, MOST_NUMBERS // _numbers(model)))


def random_images(model: tf.keras.Model, pixels: bool) -> np.ndarray | list[np.ndarray]:
    """Up to 256 random images, the same each time.

    Args:
        model: with inputs of a fixed size.
        pixels: whether its images are pixels from 0 to 255, and not normally distributed.

    Returns:
        (count, ...): float32, or of the type of an input of whole numbers: pixels where that is
        uint8, 0 and 1 else. A list of them in the order of the inputs where there are several.
    """
    rng, image = np.random.default_rng(0), find_image_input(model)
    count = at_most(model, MOST_IMAGES)
    arrays = [
        _random(rng, count, tensor, pixels and number == image)
        for number, tensor in enumerate(model.inputs)
    ]
    return arrays[0] if len(arrays) == 1 else arrays


def _random(rng: np.random.Generator, count: int, tensor: tf.Tensor, pixels: bool) -> np.ndarray:
    shape, dtype = tuple(tensor.shape[1:]), tensor.dtype
    type_of_all = np.float32 if dtype.is_floating else dtype.as_numpy_dtype
    array = np.empty((count, *shape), type_of_all)
    # One after the other: all of them in float64 take three times the memory.
    for at in range(count):
        if pixels or dtype == tf.uint8:
            array[at] = rng.integers(0, 256, shape)
        elif dtype.is_floating:
            array[at] = rng.normal(size=shape)
        else:
            # Rows of a table, say, which may have no more than two.
            array[at] = rng.integers(0, 2, shape)
    return array
