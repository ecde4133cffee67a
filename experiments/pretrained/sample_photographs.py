"""A photograph of each class of CIFAR-10, to show a network on without the data set at hand.

They are the first of their class among the test images, whatever a network makes of them, as
tensorflow-datasets orders these. The file beside this one has them side by side, in the order of
the classes. It was written by

```sh
python -m experiments.pretrained.sample_photographs DATA_PATH
```

from images that had been kept as JPEG of quality 75, like those that the network was trained on.
CIFAR-10: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from recu_tf import data
from recu_tf.runs.atomic_write import write_aside

__all__ = ["read_photographs", "write_photographs"]

FILE = Path(__file__).with_name("photographs.png")
CLASSES = len(data.DATASETS["cifar10"].class_names)


def read_photographs() -> tuple[np.ndarray, np.ndarray]:
    """Reads the photographs.

    Returns:
        uint8 images (10, 32, 32, 3) and int64 labels (10,), 0 to 9.
    """
    sheet = tf.io.decode_png(FILE.read_bytes(), channels=3).numpy()
    return np.stack(np.split(sheet, CLASSES, axis=1)), np.arange(CLASSES)


def write_photographs(data_path: str | None) -> None:
    """Writes the file, from the test images of CIFAR-10.

    Args:
        data_path: a data directory of tensorflow-datasets; None means its default directory.
    """
    images, labels = data.load("cifar10", "test", data_path, normalized=False)
    _, firsts = np.unique(labels, return_index=True)
    sheet = np.concatenate(images[firsts], axis=1)
    content = tf.io.encode_png(sheet, compression=9).numpy()
    write_aside(FILE, lambda aside: aside.write_bytes(content))


if __name__ == "__main__":
    write_photographs(*sys.argv[1:])
