"""Decodes images and resizes them to the input size of ImageNet networks, as Pillow does."""

import tensorflow as tf

__all__ = [
    "SHORTER_SIDE",
    "SIZE",
    "decode",
    "is_jpeg",
    "resize",
    "resize_and_crop",
    "resize_whole",
]

SIZE = 224
SHORTER_SIDE = 256


def is_jpeg(contents: tf.Tensor) -> tf.Tensor:
    """Whether an encoded image begins as a JPEG does."""
    return tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff"


def decode(contents: tf.Tensor) -> tf.Tensor:
    """Decodes a JPEG, PNG, BMP or the first image of a GIF: uint8 (height, width, 3).

    Pixels are returned as they are stored. A rotation in the EXIF data is not applied, as in the
    published training (torchvision and Pillow do not apply it by default either).

    Raises:
        tf.errors.InvalidArgumentError: the image has another format, is damaged, or is cut off.
    """
    image = tf.cond(
        is_jpeg(contents),
        # As accurate as Pillow, and no slower than TensorFlow's default.
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def _resize_rows(
    pixels: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, size: int | tf.Tensor
) -> tf.Tensor:
    """Resizes pixels (rows, columns) to float32 (1, size, 1, columns), antialiased."""
    # The columns become channels of an image 1 pixel wide: the operation is fast on many channels.
    return tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(pixels, tf.stack([1, rows, 1, columns])),
        size=tf.stack([size, 1]),
        scale=tf.stack([tf.cast(size / rows, tf.float32), 1.0]),
        translation=(0.0, 0.0),
        kernel_type="triangle",
        antialias=True,
    )


def resize(
    image: tf.Tensor,
    height: int | tf.Tensor = SIZE,
    width: int | tf.Tensor = SIZE,
    mirrored: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Resizes an image by a triangle filter, antialiased, to whole grey levels: Pillow's bilinear.

    Height and width are resized separately, each as rows, with the image transposed in between:
    twice as fast as `tf.image.resize`, which does both together.

    Args:
        image: uint8 (any height, any width, 3).
        height: of the result.
        width: of the result.
        mirrored: whether to flip left and right.

    Returns:
        uint8 (height, width, 3), at most 1 grey level from Pillow's.
    """
    old_height, old_width, _ = tf.unstack(tf.shape(image))
    rows = _resize_rows(image, old_height, old_width * 3, height)
    transposed = tf.transpose(tf.reshape(rows, [height, old_width * 3]))
    columns = _resize_rows(transposed, old_width, height * 3, width)
    # A mean of grey levels leaves their range by rounding errors only; truncation removes these.
    columns = tf.cast(columns + 0.5, tf.uint8)
    columns = tf.raw_ops.Reverse(
        tensor=tf.reshape(columns, [width, height * 3]), dims=tf.stack([mirrored, False])
    )
    transposed = tf.transpose(tf.reshape(columns, [width * 3, height]))
    return tf.reshape(transposed, [height, width, 3])


def resize_and_crop(image: tf.Tensor) -> tf.Tensor:
    """Prepares ImageNet's test images: resizes the shorter side to 256, crops the centre 224 x 224.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        uint8 (224, 224, 3).
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    shorter = tf.minimum(height, width)
    # The longer side is rounded down, as in torchvision.
    size = tf.stack([height, width]) * SHORTER_SIDE // shorter
    # Halves are rounded to even numbers, as Python's `round` does in torchvision.
    top, left = tf.unstack(tf.cast(tf.round(tf.cast(size - SIZE, tf.float32) / 2), tf.int32))
    image = resize(image, size[0], size[1])
    return tf.ensure_shape(image[top : top + SIZE, left : left + SIZE], (SIZE, SIZE, 3))


def resize_whole(image: tf.Tensor) -> tf.Tensor:
    """Prepares Tiny-ImageNet's test images: resizes the whole image to 224 x 224.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        uint8 (224, 224, 3).
    """
    return resize(image)
