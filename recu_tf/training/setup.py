"""Everything that a training needs, made before its first step and before anything is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tensorflow as tf

from recu_tf import data, models, optimizers
from recu_tf.batch_norm import synchronized_batch_norm
from recu_tf.settings import Settings
from recu_tf.training.initial_weights import check_path, starting_network, teacher_network
from recu_tf.training.step import Learner
from recu_tf.training.strategies import make_strategy

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Everything that a training needs, before its first step.

    Attributes:
        settings: what to train and how.
        strategy: on which devices.
        learner: the network, compiled.
        whole: the same network in float32 and outside the strategy, to be written.
        images: the training images.
        validation: batches of the test images.
        test_images: how many they are.
        steps: of an epoch.
    """

    settings: Settings
    strategy: tf.distribute.Strategy
    learner: Learner
    whole: tf.keras.Model
    images: data.TrainingSet
    validation: tf.data.Dataset
    test_images: int
    steps: int

    @property
    def replicas(self) -> int:
        """How many devices train together."""
        return self.strategy.num_replicas_in_sync

    @property
    def images_of_epoch(self) -> int:
        """How many training images an epoch has; of a last batch too small for all, none."""
        return min(self.steps * self.settings.batch_size, self.images.count)

    def batches(self, first_step: int = 0) -> tf.data.Dataset:
        """The training batches from a step on, counted over all epochs, cut for the replicas."""
        settings, replicas = self.settings, self.replicas

        def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * own
            batches = self.images.batches(
                settings.batch_size,
                settings.epochs,
                settings.seed,
                first_step,
                replicas,
                tuple(range(first, first + own)),
            )
            options = tf.data.Options()
            if settings.workers is not None:
                options.threading.private_threadpool_size = settings.workers
            return batches.with_options(options)

        if replicas == 1:
            return of_process(tf.distribute.InputContext())
        return self.strategy.distribute_datasets_from_function(of_process)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _optimizer(settings: Settings, network: tf.keras.Model) -> tf.keras.optimizers.Optimizer:
    if settings.optimizer == "adam":
        optimizer = optimizers.Adam(settings.lr, l2=settings.weight_decay)
    else:
        optimizer = optimizers.SGD(settings.lr, settings.momentum, l2=settings.weight_decay)
    with_l2 = {variable.ref() for variable in models.l2_variables(network, settings.dataset)}
    optimizer.exclude_from_l2(v for v in network.trainable_variables if v.ref() not in with_l2)
    # Made now: variables that turn up while Keras traces the step make it trace twice.
    optimizer.build(network.trainable_variables)
    if settings.precision == "mixed_float16":
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def prepare(
    settings: Settings,
    init_from: str | os.PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Prepared:
    """Makes everything that a training needs, and writes nothing.

    Args:
        settings: what to train and how.
        init_from: a run directory, a `.keras` file or a published checkpoint whose network to
            start from, with a fresh optimizer and fresh schedules: the published "finetune".
        strategy: on which devices, if not as the settings say.

    Raises:
        FileNotFoundError, ValueError: the network to start from, or the teacher, is none, or of
            other classes.
        ImportError, OSError: the data set cannot be read.
    """
    if settings.teacher:
        check_path(settings.teacher, "teacher")  # it is opened once there are images and a network
    strategy = strategy or make_strategy(settings.strategy)
    tf.keras.utils.set_random_seed(settings.seed)
    names = settings.model, settings.dataset
    start = None if init_from is None else starting_network(init_from, *names)
    classes = models.DATASET_CLASSES[settings.dataset]
    if start is not None:
        found = start.output_shape[-1]
        if classes not in (None, found):
            raise ValueError(
                f"`init_from` must be a network of {classes} classes, those of "
                f"{settings.dataset}, got one of {found}."
            )
        classes = found
    images = data.training_set(
        settings.dataset,
        settings.data_path,
        skip_broken=settings.skip_broken,
        num_classes=classes,
    )
    validation, test_images = data.evaluation_set(
        settings.dataset,
        settings.data_path,
        batch_size=settings.batch_size_test,
        skip_broken=settings.skip_broken,
        num_classes=images.num_classes,
    )
    if data.DATASETS[settings.dataset].read:
        validation = validation.cache()
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    if start is None:
        start = models.build(*names, num_classes=images.num_classes)
    with strategy.scope(), _precision(settings.precision):
        network = models.build_like(start, *names)
        if settings.sync_batch_norm:
            network = synchronized_batch_norm(network)
        teacher = settings.teacher and teacher_network(settings.teacher, network)
        learner = Learner(network, teacher)
        learner.compile(
            _optimizer(settings, network),
            jit_compile=settings.jit,
            steps_per_execution=settings.steps_per_execution,
        )
    return Prepared(
        settings,
        strategy,
        learner,
        start,
        images,
        validation.with_options(options),
        test_images,
        images.steps(settings.batch_size, strategy.num_replicas_in_sync),
    )
