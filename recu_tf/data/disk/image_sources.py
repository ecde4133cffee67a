"""Images that stay on disk until a step needs them: files, and TFRecords."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from recu_tf.data.disk.files import ImageFiles, folder_files
from recu_tf.data.memory.cifar import check_directory, import_tfds, unreadable
from recu_tf.data.sampling import Order

__all__ = ["Source", "file_source", "imagenet_source"]

# Records are shuffled in a window of this many, after the files are: some 500 MB of ImageNet.
SHUFFLED_RECORDS = 4096
# So many files are read in turn, so many records at a time: the window sees more of the classes.
FILES_AT_ONCE = 16


@dataclass(frozen=True)
class Source:
    """Encoded images, each a string that leads to it, an int64 label, and a name for messages.

    Attributes:
        count: how many images.
        num_classes: how many classes.
        class_names: in the order of the labels.
        images: data set of (string, label, name), scalars, in a fixed order.
        shuffled: from an order to its `epoch_batches`, see `Order.batches`, of vectors of those.
        contents: from the string to the encoded image.
    """

    count: int
    num_classes: int
    class_names: tuple[str, ...] | None
    images: tf.data.Dataset
    shuffled: Callable[[Order], Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]]
    contents: Callable[[tf.Tensor], tf.Tensor]


def file_source(files: ImageFiles) -> Source:
    """Image files, read when needed; shuffled all of them."""
    paths = tf.constant(files.paths, tf.string)
    labels = tf.constant(files.labels, tf.int64)

    def shuffled(order):
        def epoch_batches(epoch, skipped):
            rows = tf.data.Dataset.from_tensor_slices(order.shuffled(epoch)[skipped:])
            return rows.map(
                lambda row: (tf.gather(paths, row), tf.gather(labels, row), tf.gather(paths, row))
            )

        return epoch_batches

    images = tf.data.Dataset.from_tensor_slices((paths, labels, paths))
    names = files.class_names
    return Source(len(files.paths), len(names), names, images, shuffled, tf.io.read_file)


def _record_source(builder, split: str) -> Source:
    """A split of `imagenet2012`; records are read in order, so they are shuffled in a window."""
    from tensorflow_datasets import decode

    info, features = builder.info.splits[split], builder.info.features
    files = tf.constant([os.fspath(path) for path in info.filepaths], tf.string)
    decoders = {"image": decode.SkipDecoding()}

    def image(record):
        example = features.deserialize_example(record, decoders=decoders)
        return example["image"], example["label"], example["file_name"]

    def shuffled(order):
        def epoch_batches(epoch, skipped):
            # Whatever seed TensorFlow has been given elsewhere, the stream is to be the same.
            tf.random.set_seed(1)
            file_seed, record_seed = tf.unstack(
                tf.random.experimental.stateless_split(tf.stack([order.seed, epoch]), 2)
            )
            by_number = tf.argsort(tf.random.stateless_uniform(files.shape, file_seed))
            records = tf.data.Dataset.from_tensor_slices(tf.gather(files, by_number)).interleave(
                tf.data.TFRecordDataset,
                cycle_length=FILES_AT_ONCE,
                block_length=FILES_AT_ONCE,
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            number = tf.random.stateless_uniform([], record_seed, maxval=2**31 - 1, dtype=tf.int32)
            records = records.shuffle(SHUFFLED_RECORDS, tf.cast(number, tf.int64))
            records = records.skip(skipped * order.batch_size)
            return records.map(image, tf.data.AUTOTUNE).batch(order.batch_size)

        return epoch_batches

    label = features["label"]
    images = tf.data.TFRecordDataset(files).map(image)
    names = tuple(label.names) if label.names else None
    return Source(info.num_examples, label.num_classes, names, images, shuffled, tf.identity)


def imagenet_source(split: str, data_path: str | None) -> Source:
    """ImageNet: folders of images where `data_path` holds such, or else `imagenet2012`.

    Args:
        split: "train" (1,281,167 images) or "test" (the 50,000 for validation).
        data_path: the folder that holds `train` and `val`, or a data directory of
            tensorflow-datasets, its usual one if None.

    Raises:
        ImportError: tensorflow-datasets is needed and not installed.
        OSError: there are neither folders nor the data set, nor the archives to prepare it from.
    """
    if data_path and any((Path(data_path) / name).is_dir() for name in ("train", "val")):
        return file_source(folder_files(split, data_path))
    check_directory(data_path)
    tfds = import_tfds("imagenet")
    try:
        builder = tfds.builder("imagenet2012", data_dir=data_path)
        builder.download_and_prepare()
        return _record_source(builder, {"train": "train", "test": "validation"}[split])
    except Exception as error:  # whatever the archives or the disk raise
        raise unreadable("imagenet", data_path, error) from error
