"""Preparing what a training needs, before its first step and before any file is written."""

import os
from dataclasses import dataclass

import tensorflow as tf

from recu_tf import models, optimizers
from recu_tf.batch_norm import set_momentum, synchronize_batch_norm
from recu_tf.choices import MODELS, MUON
from recu_tf.precision import use_precision
from recu_tf.settings import Settings
from recu_tf.training.distillation import Distillation
from recu_tf.training.image_sets import Images, load_images
from recu_tf.training.initial_weights import load_first_stage, load_initial_network
from recu_tf.training.own_model import copy_model
from recu_tf.training.own_training import Own, find_normalization, read_own
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
        images: the images.
        steps: the number of steps in an epoch.
        own: what the caller brought along.
    """

    settings: Settings
    strategy: tf.distribute.Strategy
    learner: Learner
    saved_network: tf.keras.Model
    images: Images
    steps: int
    own: Own

    @property
    def replicas(self) -> int:
        """The number of devices that train together."""
        return self.strategy.num_replicas_in_sync

    @property
    def images_per_epoch(self) -> int:
        """Training images in an epoch, without a last batch that is too small for all devices."""
        return min(self.steps * self.settings.batch_size, self.images.training.count)

    def batches(self, first_step: int = 0, epochs: int | None = None) -> tf.data.Dataset:
        """The training batches from a step on, split between the replicas.

        Args:
            first_step: of the first batch, counted from 0 over all epochs.
            epochs: the one to stop before, counted from 0; None means the end of the training.
        """
        settings, replicas = self.settings, self.replicas
        end = settings.epochs if epochs is None else epochs

        def batches_of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
            own = replicas // context.num_input_pipelines
            first = context.input_pipeline_id * own
            batches = self.images.training.batches(
                settings.batch_size,
                end,
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
    l2, factor = settings.weight_decay, settings.kernel_lr_factor
    of_sgd = {"momentum": settings.momentum, "l2": l2, "nesterov": settings.nesterov}
    if settings.optimizer == "adam":
        optimizer = optimizers.Adam(settings.lr, l2=l2)
    elif settings.optimizer == MUON:
        optimizer = optimizers.Muon(settings.lr, **of_sgd, kernel_lr_factor=factor)
        optimizer.set_kernels(_find_recu_kernels(network))
    else:
        optimizer = optimizers.SGD(settings.lr, **of_sgd)
    if settings.model in MODELS:
        selected = models.select_l2_variables(network, settings.dataset)
    else:
        selected = models.select_kernels(network)
    with_l2 = {variable.ref() for variable in selected}
    optimizer.exclude_from_l2(v for v in network.trainable_variables if v.ref() not in with_l2)
    # Built now: variables that appear while Keras traces the step make it trace twice.
    optimizer.build(network.trainable_variables)
    if settings.precision == "mixed_float16" or _computes_in_float16(network):
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def _find_recu_kernels(network: tf.keras.Model) -> list[tf.Variable]:
    kernels = models.select_recu_kernels(network)
    if not kernels:
        raise ValueError(f"`optimizer` {MUON} needs kernels with ReCU, got a `model` without any.")
    return kernels


def _computes_in_float16(network: tf.keras.Model) -> bool:
    layers = [part for part in network.submodules if isinstance(part, tf.keras.layers.Layer)]
    return any(layer.compute_dtype == "float16" for layer in layers)


def _check_shape(network: tf.keras.Model, images: Images, settings: Settings) -> None:
    taken, given = network.input_shape[1:], tuple(images.validation.element_spec[0].shape[1:])
    if taken != given:
        raise ValueError(
            f"`model` must take the images of {settings.dataset}, {given}, got one that takes "
            f"{taken}."
        )


def prepare(
    settings: Settings,
    *,
    init_from: str | os.PathLike | None = None,
    stage1: str | os.PathLike | None = None,
    strategy: tf.distribute.Strategy | None = None,
    own: Own | None = None,
) -> Prepared:
    """Prepares everything that a training needs, and writes nothing.

    Args:
        settings: what to train and how.
        init_from: path of the network to start from, in any format of `recu_tf.networks.load`, with
            a new optimizer and new schedules (the published "finetune").
        stage1: path of the network of a first stage, with real kernels, from whose weights the
            second begins, see `recu_tf.models.build_second_stage`; not together with `init_from`.
        strategy: the devices to train on; None makes the strategy that the settings name.
        own: what the caller brings along, see `recu_tf.training.own_training.read_own`.

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
    own = own or read_own(settings)[1]
    strategy = strategy or make_strategy(settings.strategy)
    tf.keras.utils.set_random_seed(settings.seed)
    names = settings.model, settings.dataset
    start, source = None, "init_from"
    if own.model is not None:
        if init_from is not None or stage1 is not None:
            raise ValueError(
                "`init_from` and `stage1` must be left out with `model`, which has weights."
            )
        start, source = copy_model(own.model), "model"
    elif stage1 is not None:
        start, source = load_first_stage(stage1, settings), "stage1"
    elif init_from is not None:
        start = load_initial_network(init_from, settings)
    classes = models.DATASET_CLASSES[settings.dataset]
    if own.images is not None:
        classes = own.images.num_classes
    if start is not None and settings.model in MODELS:
        start = models.build_like(start, *names, input_quantizer=settings.input_quantizer)
    if start is not None:
        found = start.output_shape[-1]
        if classes not in (None, found):
            raise ValueError(
                f"`{source}` must be a network for the {classes} classes of {settings.dataset}, "
                f"got one for {found}."
            )
        classes = found
    images = load_images(settings, own.images, classes)
    if start is None:
        start = models.build(
            *names,
            num_classes=images.training.num_classes,
            input_shape=None if own.images is None else own.images.image_shape,
            precision=settings.network_precision,
            input_quantizer=settings.input_quantizer,
        )
        if settings.batch_norm_gamma is not None:
            models.set_initial_gammas(start, settings.batch_norm_gamma)
    _check_shape(start, images, settings)
    with strategy.scope(), use_precision(settings.precision):
        network = copy_model(start) if own.model is not None else models.build_like(start, *names)
        if settings.sync_batch_norm:
            network = synchronize_batch_norm(network)
        if settings.batch_norm_momentum is not None:
            set_momentum(network, settings.batch_norm_momentum)
        teacher = load_teacher(settings, network, find_normalization(settings, own))
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
        images.training.steps(settings.batch_size, strategy.num_replicas_in_sync),
        own,
    )
