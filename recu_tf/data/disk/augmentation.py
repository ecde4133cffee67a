"""The published augmentation of ImageNet and Tiny-ImageNet, applied to encoded images.

The shift of colours along their principal components ("PCA lighting") is left out: the published
loader adds it on the wrong scale, fractions of 1 to bytes, and truncates the sum, so that all it
does is lower some channels by 1 grey level.

The random numbers are arguments: the caller draws them for a whole batch, uniform in [0, 1), a row
of `RANDOM_NUMBERS` for each image.
"""

import math

import tensorflow as tf

from recu_tf.data.disk.decoding import SIZE, decode, is_jpeg, resize

__all__ = [
    "RANDOM_NUMBERS",
    "choose_crop",
    "random_resized_crop",
    "random_rotation",
]

AREAS = (0.08, 1.25)
ASPECT = 4 / 3
TRIES = 10
DEGREES = 20
# Area and aspect of each try, then top, left and flip.
RANDOM_NUMBERS = 2 * TRIES + 3


def choose_crop(size: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Chooses the crop of an image as torchvision's `RandomResizedCrop`, with published ranges.

    The area is a fraction of the image's, uniform in [0.08, 1.25]; the logarithm of the aspect
    (width by height) is uniform between those of 3/4 and 4/3. The first of ten tries that fits is
    taken; if none fits, the largest centred crop of an allowed aspect.

    Args:
        size: of the image, height and width, int32 (2,).
        numbers: float32 (`RANDOM_NUMBERS`,).

    Returns:
        int32 (4,): top, left, height, width.
    """
    # Few operations, each on all tries at once: an image takes only about 2 ms in all.
    size = tf.cast(size, tf.float32)
    areas, stretches, corner = tf.split(numbers[: 2 * TRIES + 2], [TRIES, TRIES, 2])
    low, high = AREAS
    sides = tf.sqrt((low + (high - low) * areas) * tf.reduce_prod(size))
    steepest = math.log(ASPECT) / 2
    # Height first: it is divided by the square root of the aspect, the width multiplied.
    signs = tf.constant([[-steepest], [steepest]])
    tries = tf.round(sides * tf.exp(signs * (2 * stretches - 1)))
    fits = tf.reduce_all((tries > 0) & (tries <= size[:, None]), axis=0)
    # The centred crop comes after the tries and always fits.
    middle = tf.minimum(size, tf.round(size[::-1] * ASPECT))
    chosen = tf.argmax(tf.concat([fits, [True]], 0))
    cut = tf.gather(tf.concat([tries, middle[:, None]], 1), chosen, axis=1)
    # Slightly below 0.5, so that of two possible centres the upper or left one is taken.
    corner = tf.where(chosen == TRIES, 0.4999, corner)
    return tf.cast(tf.concat([tf.floor(corner * (size - cut + 1)), cut], 0), tf.int32)


def random_resized_crop(contents: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Decodes an image, crops it at random, resizes the crop, and mirrors half of the images.

    Of a JPEG only the crop is decoded.

    Args:
        contents: an encoded image.
        numbers: float32 (`RANDOM_NUMBERS`,).

    Returns:
        uint8 (224, 224, 3).

    Raises:
        tf.errors.InvalidArgumentError: the image cannot be decoded.
    """

    def crop_while_decoding():
        window = choose_crop(tf.io.extract_jpeg_shape(contents)[:2], numbers)
        return tf.image.decode_and_crop_jpeg(
            contents, window, channels=3, dct_method="INTEGER_ACCURATE"
        )

    def crop_afterwards():
        image = decode(contents)
        top, left, height, width = tf.unstack(choose_crop(tf.shape(image)[:2], numbers))
        return image[top : top + height, left : left + width]

    # A decoder that stops below the crop would not notice that a file ends too early.
    complete = tf.strings.substr(contents, -2, 2) == b"\xff\xd9"
    image = tf.cond(is_jpeg(contents) & complete, crop_while_decoding, crop_afterwards)
    return resize(image, mirrored=numbers[-1] < 0.5)


def random_rotation(contents: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Decodes an image, resizes it, rotates it by up to 20 degrees, and mirrors half of the images.

    As in torchvision's `RandomRotation(20)`, it is rotated about its centre, each pixel is that of
    the nearest position, and pixels from outside are 0. Arguments, result and errors are those of
    `random_resized_crop`.
    """
    image = resize(decode(contents))
    angle = (2 * numbers[0] - 1) * (DEGREES * math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    mirror = tf.where(numbers[-1] < 0.5, -1.0, 1.0)
    middle = (SIZE - 1) / 2
    # The position each pixel comes from: R (+-(x - middle), y - middle) + (middle, middle).
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
