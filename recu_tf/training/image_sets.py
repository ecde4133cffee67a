"""The images of a training: to train on, to choose the best epoch on, and to test on at the end."""

from dataclasses import dataclass

import tensorflow as tf

from recu_tf import data, runs
from recu_tf.data import OwnImages, TrainingSet
from recu_tf.data.own.streamed_batches import StreamedSet
from recu_tf.settings import Settings

__all__ = ["Images", "load_images"]

# Progress lines and charts have the first word alone.
HELD_OUT = "held-out training images"
OWN_VALIDATION = "validation images"


@dataclass(frozen=True)
class Images:
    """The images of a training.

    Attributes:
        training: to train on.
        validation: batches whose top-1 decides which epoch is the best.
        validation_count: the number of these images; None if it is not known.
        chosen_on: what these images are, in words.
        test: batches to measure the best model on once; None where `validation` are the test
            images, as published.
    """

    training: TrainingSet | StreamedSet
    validation: tf.data.Dataset
    validation_count: int | None
    chosen_on: str
    test: tf.data.Dataset | None = None


def load_images(settings: Settings, own: OwnImages | None, num_classes: int | None) -> Images:
    """Loads the images that settings name, or takes the caller's own.

    Args:
        settings: of the training.
        own: images of the caller, if there are any; with held-out images if the settings want some.
        num_classes: of the network; None means that of the data set.

    Raises:
        ValueError: the data set has other classes.
        ImportError, OSError: the data set cannot be read.
    """
    share = settings.validation_split
    if own is not None:
        validation, count = own.make_evaluation_set("validation", settings.batch_size_test)
        test = own.make_evaluation_set("test", settings.batch_size_test)[0] if share else None
        chosen_on = HELD_OUT if share else OWN_VALIDATION
        training = own.make_training_set()
        return Images(training, _shard_by_image(validation), count, chosen_on, test)
    training = data.load_training_set(
        settings.dataset,
        settings.data_path,
        skip_broken=settings.skip_broken,
        num_classes=num_classes,
        held_out=share,
        padding=settings.crop_padding,
    )

    def load_evaluation_set(held_out: float) -> tuple[tf.data.Dataset, int]:
        return data.load_evaluation_set(
            settings.dataset,
            settings.data_path,
            batch_size=settings.batch_size_test,
            skip_broken=settings.skip_broken,
            num_classes=training.num_classes,
            held_out=held_out,
        )

    validation, count = load_evaluation_set(share)
    if data.DATASETS[settings.dataset].read:
        validation = validation.cache()
    chosen_on = HELD_OUT if share else runs.TEST_IMAGES
    test = load_evaluation_set(0.0)[0] if share else None
    return Images(training, _shard_by_image(validation), count, chosen_on, test)


def _shard_by_image(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Lets several processes divide batches between them, which no file stands for."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)
