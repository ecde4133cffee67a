"""Which settings a training can have."""

import math
from typing import Any

from recu_tf import models, schedules
from recu_tf.choices import (
    APPROX_SIGN,
    BINARY,
    CHOICES,
    MUON,
    OWN,
    SHIFTED_DATASETS,
    ZOO_MODELS,
    check_choice,
)
from recu_tf.number_checks import check_above_zero, check_at_least_zero, check_below_one

__all__ = ["OF_TEACHER", "check_settings"]

# What the caller may bring along, in Python.
MAY_BE_OWN = ("model", "dataset")
AT_LEAST_1 = ("epochs", "batch_size", "batch_size_test", "steps_per_execution")
LEAST_TEMPERATURE = 0.01
# What means nothing without a teacher.
OF_TEACHER = (
    "teacher_weights",
    "distill_weight",
    "temperature",
    "distill_features",
    "distill_features_weight",
)


def check_settings(settings: Any) -> None:
    """Refuses settings that cannot be right.

    Args:
        settings: `recu_tf.settings.Settings`, which call this.

    Raises:
        ValueError: the first such value, named with what is allowed.
    """
    for name, allowed in CHOICES.items():
        if not (name in MAY_BE_OWN and getattr(settings, name) == OWN):
            check_choice(name, getattr(settings, name), allowed)
    if settings.model != OWN:
        models.check_name(settings.model, settings.dataset, argument="model")
    if settings.model in ZOO_MODELS and settings.network_precision != BINARY:
        raise ValueError(
            f"`network_precision` must be {BINARY} for {settings.model}, of larq-zoo, got "
            f"{settings.network_precision!r}."
        )
    if settings.model in ZOO_MODELS and settings.input_quantizer != APPROX_SIGN:
        raise ValueError(
            f"`input_quantizer` must be {APPROX_SIGN} for {settings.model}, of larq-zoo, got "
            f"{settings.input_quantizer!r}."
        )
    for name in AT_LEAST_1:
        if getattr(settings, name) < 1:
            raise ValueError(f"`{name}` must be at least 1, got {getattr(settings, name)}.")
    check_below_one(validation_split=settings.validation_split)
    if settings.crop_padding < 0:
        raise ValueError(f"`crop_padding` must be at least 0, got {settings.crop_padding}.")
    shifted = settings.dataset in SHIFTED_DATASETS
    if not shifted and settings.crop_padding != _get_default(settings, "crop_padding"):
        raise ValueError(
            f"`crop_padding` is for {', '.join(SHIFTED_DATASETS)}, got {settings.crop_padding} "
            f"for the data set {settings.dataset}."
        )
    if settings.workers is not None and settings.workers < 1:
        raise ValueError(f"`workers` must be at least 1, got {settings.workers}.")
    if not 0 <= settings.start_epoch < settings.epochs:
        raise ValueError(
            f"`start_epoch` must lie in 0 ... epochs - 1 = {settings.epochs - 1}, got "
            f"{settings.start_epoch}."
        )
    check_above_zero(lr=settings.lr)
    if settings.lr_decay_step and settings.lr_type != "step":
        raise ValueError(
            f"`lr_decay_step` must be empty unless `lr_type` is step, got {settings.lr_type!r}."
        )
    if any(step < 1 for step in settings.lr_decay_step):
        raise ValueError(f"`lr_decay_step` must be epochs from 1, got {settings.lr_decay_step}.")
    check_at_least_zero(weight_decay=settings.weight_decay)
    check_below_one(momentum=settings.momentum)
    if settings.batch_norm_gamma is not None:
        check_above_zero(batch_norm_gamma=settings.batch_norm_gamma)
    if settings.batch_norm_momentum is not None:
        check_below_one(batch_norm_momentum=settings.batch_norm_momentum)
    if settings.nesterov and not (settings.optimizer != "adam" and settings.momentum):
        raise ValueError(
            "`nesterov` needs the `optimizer` sgd or muon and a `momentum` above 0, got "
            f"{settings.optimizer} and {settings.momentum}."
        )
    _check_muon(settings)
    if not 0 <= settings.seed < 2**31:
        raise ValueError(f"`seed` must lie in 0 ... 2^31 - 1, got {settings.seed}.")
    _check_distillation(settings)
    schedules.exponential_tau(0, settings.epochs, settings.tau_min, settings.tau_max)
    schedules.learning_rate(0, settings.epochs, **settings.learning_rate_schedule)


def _get_default(settings: Any, name: str) -> Any:
    return type(settings).__dataclass_fields__[name].default


def _check_muon(settings: Any) -> None:
    factor = settings.kernel_lr_factor
    check_above_zero(kernel_lr_factor=factor)
    if settings.optimizer != MUON and factor != _get_default(settings, "kernel_lr_factor"):
        raise ValueError(
            f"`kernel_lr_factor` needs the `optimizer` {MUON}, got {factor} for "
            f"{settings.optimizer}."
        )
    if settings.optimizer == MUON and settings.network_precision != BINARY:
        raise ValueError(
            f"`optimizer` {MUON} is for binary kernels, got `network_precision` "
            f"{settings.network_precision!r}."
        )


def _check_distillation(settings: Any) -> None:
    for name in () if settings.teacher else OF_TEACHER:
        if getattr(settings, name) != _get_default(settings, name):
            raise ValueError(
                f"`{name}` needs a `teacher`, got {getattr(settings, name)!r} without one."
            )
    if not 0 <= settings.distill_weight <= 1:
        raise ValueError(
            f"`distill_weight` must be a number from 0 to 1, got {settings.distill_weight}."
        )
    # Below, its square and the logits divided by it leave the range of float32.
    if not (math.isfinite(settings.temperature) and settings.temperature >= LEAST_TEMPERATURE):
        raise ValueError(
            f"`temperature` must be a finite number from {LEAST_TEMPERATURE}, got "
            f"{settings.temperature}."
        )
    check_at_least_zero(distill_features_weight=settings.distill_features_weight)
    for pair in settings.distill_features:
        if not all(pair.split("=")) or pair.count("=") > 1:
            raise ValueError(f"`distill_features` must be NAME or NAME=TEACHER_NAME, got {pair!r}.")
