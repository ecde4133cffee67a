"""All that decides a training, by the names of the published command line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from recu_tf import data, models, runs, schedules

__all__ = ["OPTIMIZERS", "PRECISIONS", "STRATEGIES", "Settings"]

OPTIMIZERS = ("sgd", "adam")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "float64")
STRATEGIES = ("auto", "single", "mirrored", "multiworker")
REQUIRED = ("model", "dataset")


@dataclass(frozen=True)
class Settings:
    """All that decides a training. Defaults are the published ones, for CIFAR.

    Attributes:
        model: one of `recu_tf.models.MODELS`.
        dataset: one of `recu_tf.data.DATASETS`.
        data_path: where the data set lies, or is to be put.
        epochs: number of passes over the training images.
        start_epoch: epoch of the schedules to begin with, counted from 0.
        batch_size: images per step, of all devices together.
        batch_size_test: images per step of the evaluation.
        optimizer: sgd or adam.
        lr: learning rate at its highest.
        momentum: of SGD, in [0, 1).
        weight_decay: L2, added to the gradient of the tensors of `models.select_l2_variables`.
        lr_type: how the learning rate falls: cos, step or linear.
        lr_decay_step: epochs at which `step` divides it by 10.
        warm_up: whether it rises over the first five epochs.
        tau_min: temperature of the first epoch.
        tau_max: temperature that the last one comes close to.
        seed: of weights, order and augmentation; from 0 to 2^31 - 1.
        teacher: a `.keras` file or run directory of a network of as many classes whose softmax
            takes the place of the labels, as in the published second stage.
        precision: float32, mixed_float16, mixed_bfloat16, or float64.
        jit: whether XLA compiles the training step.
        steps_per_execution: steps that run without coming back to Python.
        strategy: auto, single, mirrored or multiworker, see `recu_tf.training.strategies`.
        sync_batch_norm: whether batch norms see the batch of all devices; each its own otherwise,
            as published.
        workers: threads of the input pipeline; as many as it finds best if None.
        skip_broken: whether training images that cannot be read are left out and counted.
        diagnostics: whether dead weights and their like are measured after each epoch.

    Raises:
        ValueError: a value that cannot be right, named with what is allowed.
    """

    model: str = "resnet18_1w1a"
    dataset: str = "cifar10"
    data_path: str | None = None
    epochs: int = 600
    start_epoch: int = 0
    batch_size: int = 256
    batch_size_test: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    lr_type: str = "cos"
    lr_decay_step: tuple[int, ...] = ()
    warm_up: bool = False
    tau_min: float = 0.85
    tau_max: float = 0.99
    seed: int = 0
    teacher: str | None = None
    precision: str = "float32"
    jit: bool = False
    steps_per_execution: int = 1
    strategy: str = "auto"
    sync_batch_norm: bool = False
    workers: int | None = None
    skip_broken: bool = False
    diagnostics: bool = True

    def __post_init__(self):
        for name, allowed in (
            ("model", models.MODELS),
            ("dataset", data.DATASETS),
            ("optimizer", OPTIMIZERS),
            ("precision", PRECISIONS),
            ("strategy", STRATEGIES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(allowed)}, got {getattr(self, name)!r}."
                )
        networks = models.get_networks(self.dataset)
        if self.model not in networks:
            raise ValueError(
                f"`model` must be one of {', '.join(networks)} for {self.dataset}, got "
                f"{self.model!r}."
            )
        for name in ("epochs", "batch_size", "batch_size_test", "steps_per_execution"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"`workers` must be at least 1, got {self.workers}.")
        if not 0 <= self.start_epoch < self.epochs:
            raise ValueError(
                f"`start_epoch` must lie in 0 ... epochs - 1 = {self.epochs - 1}, got "
                f"{self.start_epoch}."
            )
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"`lr` must be a finite number above 0, got {self.lr}.")
        if self.lr_decay_step and self.lr_type != "step":
            raise ValueError(
                f"`lr_decay_step` must be empty unless `lr_type` is step, got {self.lr_type!r}."
            )
        if any(step < 1 for step in self.lr_decay_step):
            raise ValueError(f"`lr_decay_step` must be epochs from 1, got {self.lr_decay_step}.")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(
                f"`weight_decay` must be a finite number from 0, got {self.weight_decay}."
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"`momentum` must be a number in [0, 1), got {self.momentum}.")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"`seed` must lie in 0 ... 2^31 - 1, got {self.seed}.")
        schedules.exponential_tau(0, self.epochs, self.tau_min, self.tau_max)
        schedules.learning_rate(0, self.epochs, **self.learning_rate_schedule)

    @classmethod
    def of_run(cls, run: runs.Run) -> "Settings":
        """The settings that a run was trained with; what older runs did not know has its default.

        Raises:
            ValueError: what `config.json` holds cannot be settings.
        """
        return cls.of_config(run.config["settings"], f"`settings` in {run.path / 'config.json'}")

    @classmethod
    def of_config(cls, kept: Mapping, source: str = "`settings`") -> "Settings":
        """Settings as JSON keeps them.

        Args:
            kept: names and values; `model` and `dataset` at least.
            source: where they are from, for the error.

        Raises:
            ValueError: these cannot be settings.
        """
        try:
            missing = [name for name in REQUIRED if name not in kept]
            if missing:
                raise ValueError(f"lacks {', '.join(missing)}")
            steps = tuple(kept.get("lr_decay_step", ()))
            return cls(**{**kept, "lr_decay_step": steps})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error

    @property
    def learning_rate_schedule(self) -> dict:
        """The arguments of `schedules.learning_rate` that these settings decide."""
        names = ("lr", "lr_type", "warm_up", "lr_decay_step")
        return {name: getattr(self, name) for name in names}

    def differences(self, other: "Settings") -> list[str]:
        """The names of what is not the same in both, in the order of the attributes."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]
