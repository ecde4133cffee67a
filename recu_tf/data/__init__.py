"""Data sets by name: what they are (`datasets.py`), and their images (`loading.py`)."""

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
