"""scikit-learn's bundled handwritten digits, which need no download."""

import numpy as np
import tensorflow as tf

__all__ = ["TEST_IMAGES", "load_digits"]

TEST_IMAGES = 360


def load_digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the digits, 8 x 8 grey levels from 0 to 16, and resizes them to 32 x 32 x 3.

    The test split is a fixed fifth of the images, stratified by digit.

    Args:
        split: "train" (1,437 images) or "test" (360).

    Returns:
        uint8 images (count, 32, 32, 3) and int64 labels (count,).

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets, model_selection
    except ImportError as error:
        raise ImportError(
            "The digits come with scikit-learn, which is not installed: pip install 'recu_tf[data]'"
        ) from error
    digits = datasets.load_digits()
    train, test = model_selection.train_test_split(
        np.arange(len(digits.target)),
        test_size=TEST_IMAGES,
        random_state=0,
        stratify=digits.target,
    )
    chosen = {"train": train, "test": test}[split]
    pixels = digits.images[chosen, :, :, np.newaxis].astype(np.float32) * (255 / 16)
    pixels = np.rint(tf.image.resize(pixels, (32, 32), "bilinear")).astype(np.uint8)
    return np.repeat(pixels, 3, axis=3), digits.target[chosen].astype(np.int64)
