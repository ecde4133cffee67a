"""From encoded images to the size that ImageNet's networks see, as Pillow does it."""

import tensorflow as tf

__all__ = ["SIZE", "decoded", "is_jpeg", "resized", "shorter_side_crop", "whole_image"]

SIZE = 224
SHORTER_SIDE = 256


def is_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """Whether an encoded image begins as a JPEG does."""
    return tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff"


def decoded(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP or the first image of a GIF: uint8 (height, width, 3).

    Pixels come as they are stored. A rotation that EXIF notes beside them is not applied, as in the
    published training (torchvision and Pillow do not apply it either, unless told to).

    Raises:
        tf.errors.InvalidArgumentError: it is none of these, damaged, or cut off.
    """
    image = tf.cond(
        is_jpeg(contents),
        # As accurate as Pillow, and no slower than what TensorFlow does unless told.
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def _resized_rows(
    pixels: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, size: int | tf.Tensor
) -> tf.Tensor:
    """Brings pixels of so many rows and columns to float32 (1, size, 1, columns), antialiased."""
    # The columns as channels of an image one pixel wide: many at once are fast.
    return tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(pixels, tf.stack([1, rows, 1, columns])),
        size=tf.stack([size, 1]),
        scale=tf.stack([tf.cast(size / rows, tf.float32), 1.0]),
        translation=(0.0, 0.0),
        kernel_type="triangle",
        antialias=True,
    )


def resized(
    image: tf.Tensor,
    height: int | tf.Tensor = SIZE,
    width: int | tf.Tensor = SIZE,
    mirrored: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Resizes an image by a triangle filter, antialiased, to whole grey levels: Pillow's bilinear.

    Height and width are resized one after the other, each as rows, with the image turned over in
    between: twice as fast as the two together in `tf.image.resize`.

    Args:
        image: uint8 (any height, any width, 3).
        height: of the result.
        width: of the result.
        mirrored: whether to exchange left and right.

    Returns:
        uint8 (height, width, 3), no more than a grey level from Pillow's.
    """
    old_height, old_width, _ = tf.unstack(tf.shape(image))
    rows = _resized_rows(image, old_height, old_width * 3, height)
    turned = tf.transpose(tf.reshape(rows, [height, old_width * 3]))
    columns = _resized_rows(turned, old_width, height * 3, width)
    # A mean of grey levels leaves their range by rounding errors only: not after this.
    columns = tf.cast(columns + 0.5, tf.uint8)
    columns = tf.raw_ops.Reverse(
        tensor=tf.reshape(columns, [width, height * 3]), dims=tf.stack([mirrored, False])
    )
    turned = tf.transpose(tf.reshape(columns, [width * 3, height]))
    return tf.reshape(turned, [height, width, 3])


def shorter_side_crop(image: tf.Tensor) -> tf.Tensor:
    """ImageNet's test images: the shorter side to 256, the middle 224 by 224.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        uint8 (224, 224, 3).
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    shorter = tf.minimum(height, width)
    # The longer side is cut to a whole number, as torchvision's is.
    size = tf.stack([height, width]) * SHORTER_SIDE // shorter
    # A half is rounded to the even number, as Python's round does there.
    top, left = tf.unstack(tf.cast(tf.round(tf.cast(size - SIZE, tf.float32) / 2), tf.int32))
    image = resized(image, size[0], size[1])
    return tf.ensure_shape(image[top : top + SIZE, left : left + SIZE], (SIZE, SIZE, 3))


def whole_image(image: tf.Tensor) -> tf.Tensor:
    """Tiny-ImageNet's test images: all of it, 224 by 224. Types and shapes as above."""
    return resized(image)
