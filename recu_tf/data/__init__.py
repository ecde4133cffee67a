"""Data sets by name (`datasets.py`), their images (`loading.py`), and the caller's own (`own`).

Examples:
    A small data set in memory, normalised or as pixels:

    >>> images, labels = recu_tf.data.load("digits", "test")
    >>> images.shape, images.dtype.name
    ((360, 32, 32, 3), 'float32')
    >>> pixels, labels = recu_tf.data.load("digits", "test", normalized=False)
    >>> entry: recu_tf.data.Dataset = recu_tf.data.DATASETS["digits"]
    >>> bool(np.allclose(entry.normalization(pixels), images))
    True
    >>> bool(np.allclose(entry.normalization.invert(images), pixels, atol=1e-3))
    True
    >>> normalization = recu_tf.data.Normalization(mean=(0.5,) * 3, std=(0.5,) * 3)
    >>> batches = recu_tf.data.make_test_batches(pixels, labels, normalization, batch_size=128)
    >>> [len(images) for images, labels in batches]
    [128, 128, 104]

    Any data set as a training reads it; a tenth of the training images is held out:

    >>> training = recu_tf.data.load_training_set("digits", held_out=0.1)
    >>> training.count, training.steps(batch_size=64)
    (1295, 21)
    >>> batches = training.batches(batch_size=64, epochs=3, seed=0)
    >>> held_out, count = recu_tf.data.load_evaluation_set("digits", held_out=0.1)

    Images of your own, checked before any work:

    >>> parts = ((pixels[:300], labels[:300]), (pixels[300:], labels[300:]))
    >>> own = recu_tf.data.read_own_images(parts)
    >>> own.image_shape, own.num_classes
    ((32, 32, 3), 10)
    >>> own = own.hold_out(0.1)  # what was for validation is for the test now
    >>> own.make_training_set().count, own.make_evaluation_set("test", batch_size=20)[1]
    (270, 60)
    >>> sorted(own.describe())
    ['test', 'training', 'validation']

    The lines for people in errors of TensorFlow:

    >>> error = tf.errors.InvalidArgumentError(None, None, "another error")
    >>> recu_tf.data.describe_broken_image(error), recu_tf.data.describe_wrong_batch(error)
    (None, None)
"""

from recu_tf.data.datasets import DATASETS, Dataset
from recu_tf.data.disk.streams import describe_broken_image
from recu_tf.data.loading import load, load_evaluation_set, load_training_set
from recu_tf.data.memory.batches import make_test_batches
from recu_tf.data.normalization import Normalization
from recu_tf.data.own.own_images import OwnImages, read_own_images
from recu_tf.data.own.streamed_batches import describe_wrong_batch
from recu_tf.data.training_images import TrainingSet

__all__ = [
    "DATASETS",
    "Dataset",
    "Normalization",
    "OwnImages",
    "TrainingSet",
    "describe_broken_image",
    "describe_wrong_batch",
    "load",
    "load_evaluation_set",
    "load_training_set",
    "make_test_batches",
    "read_own_images",
]
