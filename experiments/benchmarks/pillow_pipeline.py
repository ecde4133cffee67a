"""ImageNet's augmentation as PyTorch users do it: Pillow and NumPy, an image at a time."""

import math

import numpy as np

__all__ = ["load_batch"]

MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def _window(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height of a random crop, with the published parameters."""
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.25)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if w <= width and h <= height:
            return int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1)), w, h
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    return (width - w) // 2, (height - h) // 2, w, h


def _image(path: str, rng: np.random.Generator) -> np.ndarray:
    from PIL import Image

    with open(path, "rb") as file:
        image = Image.open(file).convert("RGB")
    left, top, width, height = _window(*image.size, rng)
    image = image.crop((left, top, left + width, top + height))
    image = image.resize((224, 224), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)).astype(np.float32)
    pixels /= 255
    pixels -= MEAN
    pixels /= STD
    return pixels


def load_batch(paths: list[str], rng: np.random.Generator) -> np.ndarray:
    """Reads and augments a batch of image files.

    Returns:
        Normalised images, float32 (count, 3, 224, 224).
    """
    return np.stack([_image(path, rng) for path in paths])
