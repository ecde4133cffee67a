"""The published augmentation of ImageNet and Tiny-ImageNet, from encoded images on.

Left out is the shift of colours along their principal components ("PCA lighting"): the published
loader adds it on the wrong scale, as shares of 1 to bytes, and cuts off what is behind the point,
so that it does nothing but lower some channels by one grey level.

Random numbers are drawn elsewhere, for a whole batch: a row of `RANDOM_NUMBERS` for each image,
uniform in [0, 1).
"""

import math

import tensorflow as tf

from recu_tf.data.disk.decoding import SIZE, decoded, is_jpeg, resized

__all__ = [
    "RANDOM_NUMBERS",
    "crop_window",
    "random_resized_crop",
    "random_rotation",
]

AREAS = (0.08, 1.25)
ASPECT = 4 / 3
TRIES = 10
DEGREES = 20
# Area and aspect of each try, top, left, and one to flip by.
RANDOM_NUMBERS = 2 * TRIES + 3


def crop_window(size: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Where to cut an image: as torchvision's `RandomResizedCrop` does with the published numbers.

    The area is a share of the image's, uniform in [0.08, 1.25], the aspect (width by height)
    uniform on a scale of logarithms in [3/4, 4/3]. The first of ten tries that fits is taken; if
    none does, the middle of the image, as large as an allowed aspect lets it be.

    Args:
        size: of the image, height and width, int32 (2,).
        numbers: float32 (`RANDOM_NUMBERS`,).

    Returns:
        int32 (4,): top, left, height, width.
    """
    # Few operations, each on all that it can be: an image is worth some two milliseconds.
    size = tf.cast(size, tf.float32)
    areas, stretches, corner = tf.split(numbers[: 2 * TRIES + 2], [TRIES, TRIES, 2])
    low, high = AREAS
    sides = tf.sqrt((low + (high - low) * areas) * tf.reduce_prod(size))
    steepest = math.log(ASPECT) / 2
    # Height first: it has the square root of the aspect as divisor, the width as factor.
    signs = tf.constant([[-steepest], [steepest]])
    tries = tf.round(sides * tf.exp(signs * (2 * stretches - 1)))
    fits = tf.reduce_all(tries <= size[:, None], axis=0)
    # The middle of the image stands behind the tries and always fits.
    middle = tf.minimum(size, tf.round(size[::-1] * ASPECT))
    chosen = tf.argmax(tf.concat([fits, [True]], 0))
    cut = tf.gather(tf.concat([tries, middle[:, None]], 1), chosen, axis=1)
    # A little less than half, that of two middles the one above or to the left is taken.
    corner = tf.where(chosen == TRIES, 0.4999, corner)
    return tf.cast(tf.concat([tf.floor(corner * (size - cut + 1)), cut], 0), tf.int32)


def random_resized_crop(contents: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Decodes an image, cuts it at random, resizes that, and mirrors half of them.

    Of a JPEG only the cut is decoded.

    Args:
        contents: an encoded image.
        numbers: float32 (`RANDOM_NUMBERS`,).

    Returns:
        uint8 (224, 224, 3).

    Raises:
        tf.errors.InvalidArgumentError: it cannot be decoded.
    """

    def cut_while_decoding():
        window = crop_window(tf.io.extract_jpeg_shape(contents)[:2], numbers)
        return tf.image.decode_and_crop_jpeg(
            contents, window, channels=3, dct_method="INTEGER_ACCURATE"
        )

    def cut_afterwards():
        image = decoded(contents)
        top, left, height, width = tf.unstack(crop_window(tf.shape(image)[:2], numbers))
        return image[top : top + height, left : left + width]

    # A decoder that leaves off below the cut would not notice that a file ends too early.
    complete = tf.strings.substr(contents, -2, 2) == b"\xff\xd9"
    image = tf.cond(is_jpeg(contents) & complete, cut_while_decoding, cut_afterwards)
    return resized(image, mirrored=numbers[-1] < 0.5)


def random_rotation(contents: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Decodes an image, resizes it, turns it by up to 20 degrees, and mirrors half of them.

    Turned about its middle; as torchvision's `RandomRotation(20)`, the nearest pixel is taken, and
    0 from outside. Arguments, result and errors as above.
    """
    image = resized(decoded(contents))
    angle = (2 * numbers[0] - 1) * (DEGREES * math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    mirror = tf.where(numbers[-1] < 0.5, -1.0, 1.0)
    middle = (SIZE - 1) / 2
    # From where each pixel comes: R (+-(x - middle), y - middle) + (middle, middle).
    transform = tf.stack(
        [
            mirror * cos,
            -sin,
            middle * (1 - mirror * cos + sin),
            mirror * sin,
            cos,
            middle * (1 - mirror * sin - cos),
            0.0,
            0.0,
        ]
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=(SIZE, SIZE),
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )[0]
