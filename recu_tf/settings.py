"""All that decides a training, by the names of the published command line.

This file is the only declaration of these settings: the options of `recu train` are made from it.

Examples:
    >>> settings = recu_tf.settings.Settings("resnet20_1w1a", "digits", epochs=30, warm_up=True)
    >>> settings.lr, settings.lr_type
    (0.1, 'cos')
    >>> settings.differences(recu_tf.settings.Settings("resnet20_1w1a", "digits", epochs=60))
    ['epochs', 'warm_up']

    Those of a run, or of its `config.json`:

    >>> kept = {"model": "resnet20_1w1a", "dataset": "digits", "epochs": 30, "warm_up": True}
    >>> recu_tf.settings.Settings.of_config(kept) == settings
    True
    >>> shape = {"num_classes": 10, "class_names": None, "input_shape": [32, 32, 3]}
    >>> run = recu_tf.runs.Run.create("my_run", {"settings": kept, "normalization": None, **shape})
    >>> recu_tf.settings.Settings.of_run(run).epochs
    30
"""

# Only the standard library here; what needs the library is imported where it is used. The command
# line loads this file by its path, because `import recu_tf` loads TensorFlow, which takes seconds.
import operator
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recu_tf import runs

__all__ = ["Settings"]

REQUIRED = ("model", "dataset")
INTEGERS = (
    "epochs",
    "start_epoch",
    "crop_padding",
    "batch_size",
    "batch_size_test",
    "steps_per_execution",
    "seed",
    "workers",
)
SEQUENCES = ("lr_decay_step", "distill_features")
PATHS = ("data_path", "teacher", "teacher_weights")


def _setting(default: Any, help: str, short: str | None = None, metavar: str | None = None) -> Any:
    """A field, and how the command line shows it. Its choices are in `recu_tf.choices`."""
    return field(default=default, metadata={"help": help, "short": short, "metavar": metavar})


@dataclass(frozen=True)
class Settings:
    """All that decides a training. Defaults are the published ones, for CIFAR.

    The help text of each field says what it is. Lists become tuples, and paths strings.

    Raises:
        ValueError: a value that cannot be right, named with what is allowed.
    """

    model: str = _setting("resnet18_1w1a", "network to train", "-a")
    dataset: str = _setting("cifar10", "data set to train on")
    data_path: str | None = _setting(
        None,
        "where the data set lies: a data directory of tensorflow-datasets (cifar10, cifar100, "
        "imagenet), or a folder of images, one folder per class (imagenet, tinyimagenet, folder; "
        "JPEG, PNG, BMP and GIF; a rotation noted in EXIF is not applied); none means the usual "
        "directory of tensorflow-datasets",
        metavar="DIR",
    )
    network_precision: str = _setting(
        "binary",
        "what the network's binary convolutions are: binary as published; binary_activations with "
        "real kernels, the first of two stages; float with real activations as well, a teacher or "
        "a baseline",
    )
    input_quantizer: str = _setting(
        "standardized_approx_sign",
        "quantizer of binary activations, which decides their gradient: ReCU's, or straight "
        "through within 1.5 standard deviations",
    )
    epochs: int = _setting(600, "passes over the training images")
    start_epoch: int = _setting(
        0, "epoch of the schedules to start at, counted from 0; -1 means 0 as well"
    )
    validation_split: float = _setting(
        0.0,
        "share of the training images of each class, the same ones for every --seed, that is held "
        "out to choose the best epoch on, whose model is then tested once; 0 chooses it on the "
        "test images, as published",
    )
    batch_size: int = _setting(256, "images per training step, over all devices", "-b")
    batch_size_test: int = _setting(128, "images per evaluation step", "-bt")
    crop_padding: int = _setting(
        4,
        "for digits, cifar10 and cifar100: pixels by which a training image is shifted at most, "
        "up, down, left and right; 0 shifts none",
        metavar="PIXELS",
    )
    optimizer: str = _setting(
        "sgd",
        "SGD with momentum, Adam, or Muon, which makes the steps of binary kernels orthogonal and "
        "is SGD for all else",
    )
    lr: float = _setting(0.1, "highest learning rate")
    momentum: float = _setting(0.9, "momentum of SGD and Muon, in [0, 1)")
    nesterov: bool = _setting(False, "take Nesterov's momentum, which looks a step ahead")
    kernel_lr_factor: float = _setting(
        0.3,
        "for --optimizer muon: the learning rate of binary kernels, which is the share of a filter "
        "that a step changes, as a factor of --lr",
        metavar="FACTOR",
    )
    weight_decay: float = _setting(5e-4, "factor of the L2 term that is added to the gradients")
    lr_type: str = _setting(
        "cos",
        "how the learning rate falls: cos and linear from epoch to epoch, step at the epochs of "
        "--lr_decay_step; one_cycle rises first and changes in every step, without --warm_up, and "
        "one_cycle_quadratic falls with the square of the steps that are left",
    )
    lr_decay_step: tuple[int, ...] = _setting(
        (),
        "for --lr_type step: the epochs at which the learning rate is divided by 10, as in "
        "30 60 90",
        metavar="EPOCH",
    )
    warm_up: bool = _setting(False, "let the learning rate rise over the first five epochs")
    tau_min: float = _setting(0.85, "temperature tau in the first epoch")
    tau_max: float = _setting(0.99, "temperature tau that the last epoch comes close to")
    seed: int = _setting(
        0, "seed of weights, order and augmentation, from 0 to 2^31 - 1; 0 is a seed like any other"
    )
    teacher: str | None = _setting(
        None,
        "network with as many classes whose softmax is learned: in a format of --init_from, a "
        "name of keras.applications such as ResNet50, or zoo/NAME of larq-zoo",
        metavar="NETWORK",
    )
    teacher_weights: str | None = _setting(
        None,
        "for a --teacher that is a name: file with its weights (.h5; .keras for keras.applications)"
        "; none downloads the published ones",
        metavar="FILE",
    )
    distill_weight: float = _setting(
        1.0,
        "weight of the teacher's softmax against the labels, from 0 to 1; 1 is the published "
        "second stage, which ignores the labels",
    )
    temperature: float = _setting(
        1.0, "number that the logits of teacher and network are divided by before the softmax"
    )
    distill_features: tuple[str, ...] = _setting(
        (),
        "layers whose attention maps have to resemble the teacher's: NAME, or NAME=TEACHER_NAME "
        "where the teacher's layer has another name",
        metavar="LAYER",
    )
    distill_features_weight: float = _setting(
        30.0, "factor of the loss of --distill_features, as in larq-zoo's Real-to-Binary"
    )
    precision: str = _setting("float32", "precision policy of the layers; replaces --type")
    jit: bool = _setting(False, "compile the training step with XLA")
    steps_per_execution: int = _setting(1, "training steps per call of the compiled function")
    strategy: str = _setting(
        "auto",
        "one device, all visible GPUs, or the processes of TF_CONFIG; auto takes what is available",
    )
    sync_batch_norm: bool = _setting(
        False,
        "compute the statistics of batch norms over all devices; off, as published, each device "
        "computes its own",
    )
    batch_norm_gamma: float | None = _setting(
        None,
        "for a network with fresh weights: the scale that batch norms behind binary convolutions "
        "start with, above 0; none leaves the published one, 1, and 1e-8 for imagenet",
        metavar="GAMMA",
    )
    batch_norm_momentum: float | None = _setting(
        None,
        "share of the running averages of batch norms that a training step keeps, in [0, 1); none "
        "leaves the network its own, 0.9 in the published ones",
        metavar="SHARE",
    )
    workers: int | None = _setting(
        None, "threads of the input pipeline; 0, like no number, lets tf.data choose it"
    )
    skip_broken: bool = _setting(
        False, "leave out training images that cannot be read and count them, instead of stopping"
    )
    diagnostics: bool = _setting(
        True, "measure dead weights, flips, quantisation error and entropy after each epoch"
    )

    def __post_init__(self):
        from recu_tf.settings_checks import check_settings

        self._convert()
        check_settings(self)

    def _convert(self) -> None:
        """Gives values the types in which a run keeps them, and one form to what means the same."""
        for name in SEQUENCES:
            value = getattr(self, name)
            if isinstance(value, str):
                raise ValueError(f"`{name}` must be a list, got {value!r}.")
            self._set(name, tuple(value))
        for name in PATHS:
            if isinstance(getattr(self, name), os.PathLike):
                self._set(name, os.fspath(getattr(self, name)))
        for name in INTEGERS:
            value = getattr(self, name)
            if name != "workers" or value is not None:
                try:
                    self._set(name, operator.index(value))
                except TypeError as error:
                    raise ValueError(f"`{name}` must be an integer, got {value!r}.") from error
        if self.start_epoch == -1:
            self._set("start_epoch", 0)
        if self.workers == 0:
            self._set("workers", None)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def of_run(cls, run: "runs.Run") -> "Settings":
        """The settings that a run was trained with; those that an older run lacks have defaults.

        Raises:
            ValueError: the values in `config.json` cannot be settings.
        """
        return cls.of_config(run.config["settings"], f"`settings` in {run.path / 'config.json'}")

    @classmethod
    def of_config(cls, kept: Mapping, source: str = "`settings`") -> "Settings":
        """Settings from the values that a JSON file holds.

        Args:
            kept: values by name; `model` and `dataset` at least.
            source: where they come from, for the error.

        Raises:
            ValueError: the values cannot be settings.
        """
        try:
            missing = [name for name in REQUIRED if name not in kept]
            if missing:
                raise ValueError(f"lacks {', '.join(missing)}")
            return cls(**kept)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error

    @property
    def learning_rate_schedule(self) -> dict:
        """The arguments of `schedules.learning_rate` that these settings decide."""
        names = ("lr", "lr_type", "warm_up", "lr_decay_step")
        return {name: getattr(self, name) for name in names}

    def differences(self, other: "Settings") -> list[str]:
        """The names of the settings that are others in `other`, in the order of the fields."""
        names = [field.name for field in fields(self)]
        return [name for name in names if getattr(self, name) != getattr(other, name)]
