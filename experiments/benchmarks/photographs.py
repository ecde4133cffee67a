"""Images that take as long to decode as photographs."""

from pathlib import Path

import numpy as np
import tensorflow as tf

__all__ = ["make_photograph", "write_photographs"]

# Cells of a random field along the longer side, and its strength. Coarse fields are stronger, as in
# photographs, whose spectra fall with the frequency.
FIELDS = ((4, 60), (8, 35), (16, 22), (32, 14), (64, 9), (128, 6))
NOISE = 8
HEIGHT, WIDTH = 375, 500


def make_photograph(rng: np.random.Generator) -> np.ndarray:
    """Makes an image of smooth random fields of many sizes and sensor noise.

    Returns:
        uint8 (375, 500, 3).
    """
    pixels = 128 + rng.normal(0, NOISE, (HEIGHT, WIDTH, 3))
    for cells, strength in FIELDS:
        field = rng.standard_normal((cells * HEIGHT // WIDTH + 2, cells + 2, 3))
        pixels += strength * tf.image.resize(field, (HEIGHT, WIDTH), "bicubic").numpy()
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def write_photographs(folder: Path, count: int, quality: int = 90) -> None:
    """Makes a folder and writes numbered JPEGs of 500 x 375 into it."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        jpeg = tf.io.encode_jpeg(make_photograph(rng), quality=quality)
        (folder / f"{number}.jpg").write_bytes(jpeg.numpy())
