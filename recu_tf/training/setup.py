"""Preparing what a training needs, before its first step and before any file is written."""

import os
from dataclasses import dataclass

import tensorflow as tf

from recu_tf import data, models, optimizers
from recu_tf.batch_norm import synchronize_batch_norm
from recu_tf.precision import use_precision
from recu_tf.settings import Settings
from recu_tf.training.distillation import Distillation
from recu_tf.training.initial_weights import load_first_stage, load_initial_network
from recu_tf.training.step import Learner
from recu_tf.training.strategies import make_strategy
from recu_tf.training.teachers import check_teacher, load_teacher

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Everything that a training needs before its first step.

    Attributes:
        settings: what to train and how.
        strategy: the devices to train on.
        learner: the network that trains, compiled.
        saved_network: the same network in float32 and outside the strategy, used to save models.
        images: the training images.
        validation: batches of the test images.
        test_images: the number of test images.
        steps: the number of steps in an epoch.
    """

    settings: Settings
    strategy: tf.distribute.Strategy
    learner: Learner
    saved_network: tf.keras.Model
    images: data.TrainingSet
    validation: tf.data.Dataset
    test_images: int
    steps: int

    @property
    def replicas(self) -> int:
        """The number of devices that train together."""
        return self.strategy.num_replicas_in_sync

    @property
    def images_per_epoch(self) -> int:
        """Training images in an epoch, without a last batch that is too small for all devices."""
        return min(self.steps * self.settings.batch_size, self.images.count)

    def batches(self, first_step: int = 0) -> tf.data.Dataset:
        """The training batches from a step on, split between the replicas.

        Args:
            first_step: of the first batch, counted from 0 over all epochs.
        """
        settings, replicas = self.settings, self.replicas

        def batches_of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * own
            batches = self.images.batches(
                settings.batch_size,
                settings.epochs,
                settings.seed,
                first_step=first_step,
                shards=replicas,
                own_shards=tuple(range(first, first + own)),
            )
            options = tf.data.Options()
            if settings.workers is not None:
                options.threading.private_threadpool_size = settings.workers
            return batches.with_options(options)

        if replicas == 1:
            return batches_of_process(tf.distribute.InputContext())
        return self.strategy.distribute_datasets_from_function(batches_of_process)


def _make_optimizer(settings: Settings, network: tf.keras.Model) -> tf.keras.optimizers.Optimizer:
    if settings.optimizer == "adam":
        optimizer = optimizers.Adam(settings.lr, l2=settings.weight_decay)
    else:
        optimizer = optimizers.SGD(settings.lr, settings.momentum, l2=settings.weight_decay)
    with_l2 = {variable.ref() for variable in models.select_l2_variables(network, settings.dataset)}
    optimizer.exclude_from_l2(v for v in network.trainable_variables if v.ref() not in with_l2)
    # Built now: variables that appear while Keras traces the step make it trace twice.
    optimizer.build(network.trainable_variables)
    if settings.precision == "mixed_float16":
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def prepare(
    settings: Settings,
    *,
    init_from: str | os.PathLike | None = None,
    stage1: str | os.PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Prepared:
    """Prepares everything that a training needs, and writes nothing.

    Args:
        settings: what to train and how.
        init_from: path of the network to start from, in any format of `recu_tf.networks.load`, with
            a new optimizer and new schedules (the published "finetune").
        stage1: path of the network of a first stage, with real kernels, from whose weights the
            second begins, see `recu_tf.models.binarize_kernels`; not together with `init_from`.
        strategy: the devices to train on; None makes the strategy that the settings name.

    Raises:
        FileNotFoundError, ValueError: the network to start from, the first stage or the teacher is
            missing, cannot be read, or has different classes.
        ImportError, OSError: the data set cannot be read.
    """
    if stage1 is not None and init_from is not None:
        raise ValueError(
            f"`stage1` and `init_from` must not both be given, got {str(stage1)!r} and "
            f"{str(init_from)!r}."
        )
    check_teacher(settings)  # loaded below, once there is a network to compare
    strategy = strategy or make_strategy(settings.strategy)
    tf.keras.utils.set_random_seed(settings.seed)
    names = settings.model, settings.dataset
    start, source = None, "init_from"
    if stage1 is not None:
        start, source = load_first_stage(stage1, settings), "stage1"
    elif init_from is not None:
        start = load_initial_network(init_from, settings)
    classes = models.DATASET_CLASSES[settings.dataset]
    if start is not None:
        found = start.output_shape[-1]
        if classes not in (None, found):
            raise ValueError(
                f"`{source}` must be a network for the {classes} classes of {settings.dataset}, "
                f"got one for {found}."
            )
        classes = found
    images = data.load_training_set(
        settings.dataset,
        settings.data_path,
        skip_broken=settings.skip_broken,
        num_classes=classes,
    )
    validation, test_images = data.load_evaluation_set(
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
        start = models.build(
            *names, num_classes=images.num_classes, precision=settings.network_precision
        )
    with strategy.scope(), use_precision(settings.precision):
        network = models.build_like(start, *names)
        if settings.sync_batch_norm:
            network = synchronize_batch_norm(network)
        teacher = load_teacher(settings, network, data.DATASETS[settings.dataset].normalization)
        learner = Learner(network, teacher, Distillation.of_settings(settings))
        learner.compile(
            _make_optimizer(settings, network),
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
