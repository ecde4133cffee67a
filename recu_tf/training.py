"""Training a published network, from settings to a run directory."""

import math
import os
import sys
import time
from dataclasses import asdict, dataclass

import tensorflow as tf

from recu_tf import data, models, optimizers, runs, schedules

__all__ = ["Settings", "compile_model", "train"]


@dataclass(frozen=True)
class Settings:
    """All that decides a training. The names are those of the published command line.

    Attributes:
        model: one of `recu_tf.models.MODELS`.
        dataset: one of `recu_tf.data.DATASETS`.
        data_path: where the data set lies, or is to be put.
        epochs: number of passes over the training images.
        batch_size: images per step.
        batch_size_test: images per step of the evaluation.
        lr: learning rate at its highest.
        momentum: of SGD, in [0, 1).
        weight_decay: L2, added to the gradient of every trainable tensor.
        lr_type: how the learning rate falls: cos, step or linear.
        lr_decay_step: epochs at which `step` divides it by 10.
        warm_up: whether it rises over the first five epochs.
        tau_min: temperature of the first epoch.
        tau_max: temperature that the last one comes close to.
        seed: of weights, order and augmentation; from 0 to 2^31 - 1.

    Raises:
        ValueError: a value that cannot be right, named with what is allowed.
    """

    model: str = "resnet20_1w1a"
    dataset: str = "digits"
    data_path: str | None = None
    epochs: int = 600
    batch_size: int = 256
    batch_size_test: int = 256
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    lr_type: str = "cos"
    lr_decay_step: tuple[int, ...] = ()
    warm_up: bool = True
    tau_min: float = 0.85
    tau_max: float = 0.99
    seed: int = 0

    def __post_init__(self):
        for name, table in (("model", models.MODELS), ("dataset", data.DATASETS)):
            if getattr(self, name) not in table:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(table)}, got {getattr(self, name)!r}."
                )
        for name in ("epochs", "batch_size", "batch_size_test"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
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
        """The settings that a run was trained with.

        Raises:
            ValueError: what `config.json` holds cannot be settings.
        """
        kept = run.config["settings"]
        try:
            missing = [name for name in cls.__dataclass_fields__ if name not in kept]
            if missing:
                raise ValueError(f"lacks {', '.join(missing)}")
            return cls(**{**kept, "lr_decay_step": tuple(kept["lr_decay_step"])})
        except (TypeError, ValueError) as error:
            raise ValueError(f"`settings` in {run.path / 'config.json'}: {error}") from error

    @property
    def learning_rate_schedule(self) -> dict:
        """The arguments of `schedules.learning_rate` that these settings decide."""
        names = ("lr", "lr_type", "warm_up", "lr_decay_step")
        return {name: getattr(self, name) for name in names}


def compile_model(model: tf.keras.Model, optimizer: tf.keras.optimizers.Optimizer | str) -> None:
    """Compiles a model for logits and integer labels: cross-entropy, top-1 and top-5.

    Args:
        model: from images to logits (batch, classes).
        optimizer: an optimizer or the name of one.
    """
    model.compile(
        optimizer=optimizer,
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            tf.keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            tf.keras.metrics.SparseTopKCategoricalAccuracy(5, name="top_5"),
        ],
    )


class _Keep(tf.keras.callbacks.Callback):
    """Writes each epoch's line of metrics, and the last and best models.

    Where epochs are short, writing models would take a good part of them. So after one is written,
    the next waits until training has gone on for 20 times as long; the best weights are kept in
    memory until then. What is on disk is complete when the training ends.
    """

    PATIENCE = 20

    def __init__(self, run: runs.Run):
        super().__init__()
        self.run = run
        self.best = -math.inf
        self.best_weights = None
        self.next_write = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_accuracy"] > self.best:
            self.best = logs["val_accuracy"]
            self.best_weights = self.model.get_weights()
        now = time.perf_counter()
        values = {name: float(value) for name, value in logs.items()}
        self.run.append_metrics({"epoch": epoch, **values, "seconds": round(now - self.started, 3)})
        if now >= self.next_write or epoch + 1 == self.params["epochs"]:
            self._write()
            end = time.perf_counter()
            self.next_write = end + self.PATIENCE * (end - now)

    def _write(self) -> None:
        last = self.model.get_weights()
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            self.run.save_model(self.model, "best")
            self.model.set_weights(last)
            self.best_weights = None
        self.run.save_model(self.model, "last")


def _trained_model(path: str | os.PathLike, settings: Settings) -> tf.keras.Model:
    """The best model of a run that these settings can go on with."""
    run = runs.Run.open(path)
    trained = Settings.of_run(run)
    classes = models.DATASET_CLASSES[settings.dataset]
    if trained.model != settings.model or run.config["num_classes"] != classes:
        raise ValueError(
            f"`init_from` must be a run of {settings.model} with {classes} classes, got one of "
            f"{trained.model} with {run.config['num_classes']}."
        )
    return run.load_model("best")


def train(
    settings: Settings, directory: str | os.PathLike, init_from: str | os.PathLike | None = None
) -> runs.Run:
    """Trains a network as published, with SGD, and keeps it in a run directory.

    Args:
        settings: what to train and how.
        directory: the run directory to make.
        init_from: a run directory, trained or imported, whose best model to start from, with a
            fresh optimizer and fresh schedules: the published "finetune".

    Returns:
        The run, with its best and last models in it.

    Raises:
        FileExistsError: the directory already holds something.
        FileNotFoundError, ValueError: the run to start from is none, or of another network.
        ImportError, OSError: the data set cannot be read.
    """
    runs.Run.check_free(directory)
    dataset = data.DATASETS[settings.dataset]
    model = None if init_from is None else _trained_model(init_from, settings)
    images, labels = data.load(settings.dataset, "train", settings.data_path)
    validation = data.test_batches(
        *data.load(settings.dataset, "test", settings.data_path),
        dataset.normalization,
        settings.batch_size_test,
    ).cache()
    batches, steps = data.training_batches(
        images,
        labels,
        dataset.normalization,
        settings.batch_size,
        settings.epochs,
        settings.seed,
        dataset.flip,
    )
    tf.keras.utils.set_random_seed(settings.seed)
    if model is None:
        model = models.build(settings.model, settings.dataset)
    optimizer = optimizers.SGD(settings.lr, settings.momentum, l2=settings.weight_decay)
    compile_model(model, optimizer)
    run = runs.Run.create(
        directory,
        {
            "settings": asdict(settings),
            "init_from": None if init_from is None else str(init_from),
            "num_classes": len(dataset.class_names),
            "class_names": dataset.class_names,
            "input_shape": model.input_shape[1:],
            "normalization": asdict(dataset.normalization),
        },
    )
    # Everything that training needs is made now: variables that turn up while Keras traces the
    # training step make it trace twice.
    optimizer.build(model.trainable_variables)
    model.evaluate(validation.take(1), verbose=0)
    model.fit(
        batches,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        # A bar that redraws itself is for terminals; a file gets a line per epoch.
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[
            schedules.LearningRateScheduler(settings.epochs, **settings.learning_rate_schedule),
            schedules.TauScheduler(settings.epochs, settings.tau_min, settings.tau_max),
            _Keep(run),
            tf.keras.callbacks.TensorBoard(str(run.path / "logs"), write_graph=False),
        ],
    )
    return run
