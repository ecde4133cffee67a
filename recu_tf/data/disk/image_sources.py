"""Where images on disk come from: files, or TFRecords of tensorflow-datasets."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from recu_tf.data.disk.files import ImageFiles, list_folder_files
from recu_tf.data.sampling import Sampler
from recu_tf.data.tfds import check_directory, import_tfds, make_read_error

__all__ = ["ImageSource", "make_file_source", "make_imagenet_source"]

# Size of the buffer in which records are shuffled, after their files: some 500 MB of ImageNet.
SHUFFLED_RECORDS = 4096
# Files that are read in turn, and records read from each in a row, so that the buffer holds
# records of more classes.
FILES_AT_ONCE = 16


@dataclass(frozen=True)
class ImageSource:
    """Encoded images: for each a string to read it by, an int64 label, and a name for messages.

    Attributes:
        count: number of images.
        num_classes: number of classes.
        class_names: in the order of the labels.
        images: data set of (string, label, name), scalars, in a fixed order.
        shuffle: from a sampler to its `make_epoch`, see `Sampler.make_batches`; the batches are
            vectors of strings, labels and names.
        read: from the string to the encoded image.
        files: the image files; None for TFRecords.
    """

    count: int
    num_classes: int
    class_names: tuple[str, ...] | None
    images: tf.data.Dataset
    shuffle: Callable[[Sampler], Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]]
    read: Callable[[tf.Tensor], tf.Tensor]
    files: ImageFiles | None = None


def make_file_source(files: ImageFiles) -> ImageSource:
    """Image files, read when needed; each epoch shuffles all of them."""
    paths = tf.constant(files.paths, tf.string)
    labels = tf.constant(files.labels, tf.int64)

    def shuffle(sampler):
        def make_epoch(epoch, skipped):
            return sampler.make_rows(epoch, skipped).map(
                lambda row: (tf.gather(paths, row), tf.gather(labels, row), tf.gather(paths, row))
            )

        return make_epoch

    images = tf.data.Dataset.from_tensor_slices((paths, labels, paths))
    names = files.class_names
    return ImageSource(len(files.paths), len(names), names, images, shuffle, tf.io.read_file, files)


def _make_record_source(builder, split: str) -> ImageSource:
    """A split of `imagenet2012`; records are read in order, so they are shuffled in a buffer."""
    from tensorflow_datasets import decode

    info, features = builder.info.splits[split], builder.info.features
    files = tf.constant([os.fspath(path) for path in info.filepaths], tf.string)
    decoders = {"image": decode.SkipDecoding()}

    def parse(record):
        example = features.deserialize_example(record, decoders=decoders)
        return example["image"], example["label"], example["file_name"]

    def shuffle(sampler):
        def make_epoch(epoch, skipped):
            # The stream must be the same whatever seed has been set elsewhere.
            tf.random.set_seed(1)
            file_seed, record_seed = tf.unstack(
                tf.random.experimental.stateless_split(tf.stack([sampler.seed, epoch]), 2)
            )
            order = tf.argsort(tf.random.stateless_uniform(files.shape, file_seed))
            records = tf.data.Dataset.from_tensor_slices(tf.gather(files, order)).interleave(
                tf.data.TFRecordDataset,
                cycle_length=FILES_AT_ONCE,
                block_length=FILES_AT_ONCE,
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            number = tf.random.stateless_uniform([], record_seed, maxval=2**31 - 1, dtype=tf.int32)
            records = records.shuffle(SHUFFLED_RECORDS, tf.cast(number, tf.int64))
            records = records.skip(skipped * sampler.batch_size)
            return records.map(parse, tf.data.AUTOTUNE).batch(sampler.batch_size)

        return make_epoch

    label = features["label"]
    images = tf.data.TFRecordDataset(files).map(parse)
    names = tuple(label.names) if label.names else None
    return ImageSource(info.num_examples, label.num_classes, names, images, shuffle, tf.identity)


def make_imagenet_source(split: str, data_path: str | None) -> ImageSource:
    """ImageNet from folders of images if `data_path` holds them, otherwise from `imagenet2012`.

    Args:
        split: "train" (1,281,167 images) or "test" (the 50,000 for validation).
        data_path: the folder that holds `train` and `val`, or a data directory of
            tensorflow-datasets; None means its default directory.

    Raises:
        ImportError: tensorflow-datasets is needed and not installed.
        OSError: there are neither folders nor the data set, nor archives to prepare it from.
    """
    if data_path and any((Path(data_path) / name).is_dir() for name in ("train", "val")):
        return make_file_source(list_folder_files(split, data_path))
    check_directory(data_path)
    tfds = import_tfds("imagenet")
    try:
        builder = tfds.builder("imagenet2012", data_dir=data_path)
        builder.download_and_prepare()
        return _make_record_source(builder, {"train": "train", "test": "validation"}[split])
    except Exception as error:  # whatever the archives or the disk raise
        raise make_read_error("imagenet", data_path, error) from error
