"""The schedules of the temperature tau and the learning rate, and the callbacks that apply them.

The formulas are functions of the epoch, counted from 0.

Examples:
    >>> for epoch in (0, 10, 19):
    ...     tau = recu_tf.schedules.exponential_tau(epoch, epochs=20)
    ...     rate = recu_tf.schedules.learning_rate(epoch, epochs=20, lr=0.1, lr_type="cos")
    ...     print(f"{tau:.3f} {rate:.4f}")
    0.850 0.1000
    0.903 0.0500
    0.979 0.0006

    In `fit` of any model with ReCU:

    >>> model = tf.keras.Sequential([lq.layers.QuantDense(2, kernel_quantizer="recu")])
    >>> model.compile(recu_tf.optimizers.SGD(), "mse")
    >>> callbacks = [
    ...     recu_tf.schedules.TauScheduler(epochs=2),
    ...     recu_tf.schedules.LearningRateScheduler(epochs=2, lr=0.1, warm_up=True),
    ... ]
    >>> history = model.fit(
    ...     np.ones((4, 8)), np.ones((4, 2)), epochs=2, verbose=0, callbacks=callbacks
    ... )
    >>> [f"{tau:.2f}" for tau in history.history["tau"]]
    ['0.85', '0.90']
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from recu_tf.choices import LR_TYPES, STEPWISE_LR_TYPES, check_choice
from recu_tf.kernel_axes import find_kernel_quantizers
from recu_tf.quantizers import ReCU

__all__ = ["LearningRateScheduler", "TauScheduler", "exponential_tau", "learning_rate"]

WARM_UP_EPOCHS = 5
# Of the stepwise ones: the share of the training in which the rate rises, and what it rises from.
RISE = 0.1
FIRST_RATE = 0.05


def _check_epoch(epoch: float, epochs: int) -> None:
    if epochs < 1:
        raise ValueError(f"`epochs` must be at least 1, got {epochs}.")
    if not 0 <= epoch <= epochs:
        raise ValueError(f"`epoch` must lie in 0 ... epochs = {epochs}, got {epoch}.")


def _check_tau_range(tau_min: float, tau_max: float) -> None:
    for name, value in (("tau_min", tau_min), ("tau_max", tau_max)):
        if not 0.5 < value <= 1:
            raise ValueError(f"`{name}` must lie in (0.5, 1], got {value}.")
    if tau_min > tau_max:
        raise ValueError(f"`tau_min` must not exceed `tau_max`, got {tau_min} > {tau_max}.")


def exponential_tau(
    epoch: float, epochs: int, tau_min: float = 0.85, tau_max: float = 0.99
) -> float:
    r"""The temperature of an epoch, growing exponentially (the published schedule of ReCU).

    \[ \tau(e) = A\,e^{e/E} + B,\qquad A = \frac{\tau_{max}-\tau_{min}}{\mathrm{e}-1},\qquad
       B = \tau_{min} - A \]

    Args:
        epoch: the epoch, from 0.
        epochs: the number of epochs E; the last epoch, E - 1, stays just below `tau_max`.
        tau_min: the temperature of epoch 0, in (0.5, 1].
        tau_max: the temperature that epoch E would have, in (0.5, 1].

    Raises:
        ValueError: an epoch outside the schedule or a temperature outside (0.5, 1].
    """
    _check_epoch(epoch, epochs)
    _check_tau_range(tau_min, tau_max)
    growth = (tau_max - tau_min) / (math.e - 1)
    return growth * math.exp(epoch / epochs) + tau_min - growth


def learning_rate(
    epoch: float,
    epochs: int,
    *,
    lr: float = 0.1,
    lr_type: str = "cos",
    warm_up: bool = False,
    lr_decay_step: Sequence[int] = (),
) -> float:
    r"""The learning rate of an epoch, or with a stepwise schedule at any point of it.

    With warm-up, \(lr\,(e+1)/5\) in epochs 0 to 4. Otherwise, with \(s = 4\) with warm-up and 0
    without, \(t = e - s\) and \(T = E - s\):

    - `cos`: \(lr\,(1 + \cos(\pi t / T)) / 2\)
    - `step`: \(lr\) times 0.1 for each milestone that \(t\) has reached
    - `linear`: \(lr\,(1 - t / T)\). (The published code overshoots \(lr\) here with warm-up.)

    Two are stepwise, and change in every step: `one_cycle` (Smith and Topin, 2017,
    https://arxiv.org/abs/1708.07120) rises linearly from \(lr / 20\) to \(lr\) in the first tenth
    of the epochs and falls to 0 along half a cosine in the others; `one_cycle_quadratic` rises like
    it and falls with the square of the share that is left, so that low rates last longer.

    Args:
        epoch: the epoch, from 0; with a stepwise schedule, the epochs that have passed, which need
            not be whole.
        epochs: the number of epochs E.
        lr: the initial learning rate; with warm-up, the rate it rises to.
        lr_type: `cos`, `step`, `linear`, `one_cycle` or `one_cycle_quadratic`.
        warm_up: whether the learning rate rises to `lr` over the first five epochs; not with
            stepwise schedules, which rise of themselves.
        lr_decay_step: the milestones of `step`, in epochs.

    Raises:
        ValueError: an unknown `lr_type`, `step` without milestones, a stepwise schedule with a
            warm-up, or an epoch outside the schedule.
    """
    _check_epoch(epoch, epochs)
    check_choice("lr_type", lr_type, LR_TYPES)
    if lr_type == "step" and not lr_decay_step:
        raise ValueError("`lr_decay_step` must name at least one epoch for the step schedule.")
    if lr_type in STEPWISE_LR_TYPES:
        if warm_up:
            raise ValueError(f"`warm_up` must be False for {lr_type}, whose rate rises of itself.")
        return lr * _compute_one_cycle(epoch / epochs, lr_type)
    if warm_up and epoch < WARM_UP_EPOCHS:
        return lr * (epoch + 1) / WARM_UP_EPOCHS
    start = WARM_UP_EPOCHS - 1 if warm_up else 0
    passed = epoch - start
    if lr_type == "step":
        return lr * 0.1 ** sum(passed >= milestone for milestone in lr_decay_step)
    fraction = passed / (epochs - start)
    return lr * (1 + math.cos(math.pi * fraction)) / 2 if lr_type == "cos" else lr * (1 - fraction)


def _compute_one_cycle(passed: float, lr_type: str) -> float:
    """The rate as a share of the highest, after a share of the training."""
    if passed < RISE:
        return FIRST_RATE + (1 - FIRST_RATE) * passed / RISE
    fallen = (passed - RISE) / (1 - RISE)
    if lr_type == "one_cycle":
        return (1 + math.cos(math.pi * fallen)) / 2
    return (1 - fallen) ** 2


class _EpochScheduler(tf.keras.callbacks.Callback):
    """Refuses to train for more epochs than the schedule has, before training begins."""

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        """Compares the schedule's length with that of the training."""
        if self.params.get("epochs", 0) > self.epochs:
            raise ValueError(
                f"`epochs` of {type(self).__name__} is {self.epochs}, but the training runs for "
                f"{self.params['epochs']}."
            )


class LearningRateScheduler(_EpochScheduler):
    """Sets the learning rate at the start of each epoch, and logs it as `lr` at its end.

    With a stepwise schedule it sets the rate at the start of each step too, or of each
    `steps_per_execution` of them, and logs that of the epoch's first.

    Args:
        epochs: the number of epochs of the whole training.
        steps_per_epoch: needed where `fit` is called for the rest of an epoch, and by a stepwise
            schedule with a data set of unknown length; None means that the first step of `fit` is
            the first of an epoch.
        **schedule: `lr`, `lr_type`, `warm_up` and `lr_decay_step` of `learning_rate`.

    Raises:
        ValueError: see `learning_rate`; when training begins: it runs for more than `epochs`, or
            `steps_per_epoch` is needed.
    """

    def __init__(self, epochs: int, *, steps_per_epoch: int | None = None, **schedule):
        super().__init__(epochs)
        learning_rate(0, epochs, **schedule)  # raises for bad arguments now
        self.steps_per_epoch = steps_per_epoch
        self.schedule = schedule
        self._epoch = 0

    def on_train_begin(self, logs=None):
        """Checks that the lengths of the training and of its epochs are known."""
        super().on_train_begin(logs)
        is_known = self.params.get("steps") or self.steps_per_epoch
        lr_type = self.schedule.get("lr_type")
        if lr_type in STEPWISE_LR_TYPES and not is_known:
            raise ValueError(
                f"`steps_per_epoch` must be given for {lr_type} with a data set of unknown length."
            )

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the learning rate."""
        self._epoch = epoch
        self._set_rate(epoch)

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the learning rate of a step, where each has its own."""
        if self.schedule.get("lr_type") in STEPWISE_LR_TYPES:
            length = self.params["steps"] or self.steps_per_epoch
            steps = self.steps_per_epoch or length
            self._set_rate(self._epoch + (steps - length + batch) / steps)

    def _set_rate(self, epoch: float) -> None:
        rate = learning_rate(epoch, self.epochs, **self.schedule)
        tf.keras.backend.set_value(self.model.optimizer.learning_rate, rate)

    def on_epoch_end(self, epoch, logs=None):
        """Logs the learning rate."""
        if logs is not None:
            logs["lr"] = learning_rate(epoch, self.epochs, **self.schedule)


class TauScheduler(_EpochScheduler):
    """Sets the temperature of every `ReCU` at the start of each epoch, and logs it as `tau`.

    The temperature follows `exponential_tau`. Quantizers in nested models and wrapped layers are
    found as well.

    Args:
        epochs: the number of epochs of the whole training.
        tau_min: the temperature of epoch 0, in (0.5, 1].
        tau_max: the temperature that the epoch after the last would have, in (0.5, 1].

    Raises:
        ValueError: a temperature out of range; when training begins: the model has no `ReCU`, a
            `ReCU` is shared by several kernels or has an `axis` that is wrong for its layer, or
            the training runs for more than `epochs`.
    """

    def __init__(self, epochs: int, tau_min: float = 0.85, tau_max: float = 0.99):
        super().__init__(epochs)
        exponential_tau(0, epochs, tau_min, tau_max)  # raises for bad arguments now
        self.tau_min = tau_min
        self.tau_max = tau_max

    def on_train_begin(self, logs=None):
        """Finds the quantizers."""
        super().on_train_begin(logs)
        for layer in self.model.submodules:
            for quantizer in find_kernel_quantizers(layer).values():
                if isinstance(quantizer, ReCU):
                    quantizer.attach_to(layer)
        self._quantizers = [module for module in self.model.submodules if isinstance(module, ReCU)]
        if not self._quantizers:
            raise ValueError(
                "`model` must have at least one ReCU quantizer for TauScheduler, got "
                f"{self.model.name!r} without any. recu_tf.models.with_recu(model) puts "
                "them into the Larq layers of a model, and recu_tf.models.binarize(model) makes "
                "binary layers of the convolutions of a plain Keras model."
            )

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the temperatures."""
        tau = exponential_tau(epoch, self.epochs, self.tau_min, self.tau_max)
        for quantizer in self._quantizers:
            quantizer.tau.assign(tau)

    def on_epoch_end(self, epoch, logs=None):
        """Logs the temperature."""
        if logs is not None:
            logs["tau"] = exponential_tau(epoch, self.epochs, self.tau_min, self.tau_max)
