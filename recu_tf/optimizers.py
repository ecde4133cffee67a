r"""The published optimizers: SGD and Adam with L2, with the formulas of PyTorch.

Keras' optimizers differ in three ways that change the weights: SGD has the learning rate inside its
momentum buffer, Adam scales epsilon by the bias correction, and `weight_decay` is decoupled from
the gradient. Here L2 is added to the gradient before anything else,
\(g \leftarrow g + \lambda w\), once per step for any number of replicas. On a CPU, the same
step gives the same bits every time.

Examples:
    >>> weight = tf.Variable(1.0)
    >>> optimizer = recu_tf.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=0.01)
    >>> step = optimizer.apply_gradients([(tf.constant(0.5), weight)])
    >>> f"{weight.numpy():.3f}"  # 1 - 0.1 * (0.5 + 0.01 * 1)
    '0.949'
    >>> optimizer = recu_tf.optimizers.Adam(learning_rate=0.001, l2=1e-4)
    >>> optimizer.exclude_from_l2([weight])  # as of batch norms in the networks for ImageNet
"""

import math
import numbers
from collections.abc import Iterable

import tensorflow as tf

__all__ = ["SGD", "Adam"]


def _check_at_least_zero(**arguments: float) -> None:
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and math.isfinite(value) and value >= 0):
            raise ValueError(f"`{name}` must be a finite number from 0, got {value!r}.")


def _check_below_one(**arguments: float) -> None:
    for name, value in arguments.items():
        if not (isinstance(value, numbers.Real) and 0 <= value < 1):
            raise ValueError(f"`{name}` must be a number in [0, 1), got {value!r}.")


class _WithL2(tf.keras.optimizers.Optimizer):
    """The learning rate, L2 in the gradient and the configuration, which both optimizers share.

    A subclass sets its slots and hyperparameters and implements `_step`.
    """

    slots: tuple[str, ...] = ()
    hyperparameters: tuple[str, ...] = ("l2",)

    def __init__(self, learning_rate: float, name: str, **kwargs):
        super().__init__(name=name, **kwargs)
        self._without_l2 = set()
        self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, var_list):
        """Creates the slots of each variable, initially 0."""
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._slots = {
            slot: [self.add_variable_from_reference(v, slot) for v in var_list]
            for slot in self.slots
        }
        self._built = True

    def exclude_from_l2(self, variables: Iterable[tf.Variable]) -> None:
        """Excludes variables from L2; must be called before the first step.

        Args:
            variables: of the model; variables of earlier calls stay excluded.
        """
        self._without_l2 |= {self._var_key(variable) for variable in variables}

    def update_step(self, gradient, variable):
        """Updates a variable; called by Keras with the gradient summed over replicas."""
        if isinstance(gradient, tf.IndexedSlices):
            gradient = tf.convert_to_tensor(gradient)
        rate = tf.cast(self.learning_rate, variable.dtype)
        index = self._index_dict[self._var_key(variable)]
        slots = [self._slots[slot][index] for slot in self.slots]
        if self.l2 and self._var_key(variable) not in self._without_l2:
            gradient += self.l2 * variable
        self._step(gradient, variable, rate, *slots)

    def get_config(self) -> dict:
        """The constructor's arguments, with the current learning rate."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            **{name: getattr(self, name) for name in self.hyperparameters},
        }


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class SGD(_WithL2):
    r"""Stochastic gradient descent as in PyTorch.

    \[ g \leftarrow g + \lambda w,\qquad v \leftarrow \mu v + g,\qquad w \leftarrow w - \eta v \]

    The learning rate \(\eta\) is applied outside the buffer \(v\), so that changing it scales the
    whole step, not only the newest gradient. Nesterov's momentum takes \(g + \mu v\) for the last
    \(v\).

    Args:
        learning_rate: \(\eta\), a number or a Keras schedule.
        momentum: \(\mu\) in [0, 1).
        l2: \(\lambda\), at least 0, added to the gradient of every trainable tensor.
        nesterov: whether the momentum is Nesterov's; the published one is not.

    Raises:
        ValueError: momentum or l2 out of range, or Nesterov's momentum of 0.
    """

    slots = ("momentum",)
    hyperparameters = ("momentum", "l2", "nesterov")

    def __init__(
        self,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        l2: float = 0.0,
        name: str = "SGD",
        *,
        nesterov: bool = False,
        **kwargs,
    ):
        _check_at_least_zero(l2=l2)
        _check_below_one(momentum=momentum)
        if nesterov and not momentum:
            raise ValueError("`nesterov` needs a `momentum` above 0, got 0.")
        super().__init__(learning_rate, name, **kwargs)
        self.momentum = float(momentum)
        self.l2 = float(l2)
        self.nesterov = nesterov

    def _step(self, gradient, variable, rate, buffer):
        """Updates the buffer and the variable."""
        # Two assignments, not a sum: TensorFlow merges chained additions into a single one, whose
        # order depends on which buffers are free, so the last bits would differ from run to run.
        buffer.assign(self.momentum * buffer)
        buffer.assign_add(gradient)
        if self.nesterov:
            variable.assign_sub(rate * gradient)
            variable.assign_sub(rate * self.momentum * buffer)
        else:
            variable.assign_sub(rate * buffer)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Adam(_WithL2):
    r"""Adam as in PyTorch.

    \[ g \leftarrow g + \lambda w,\qquad m \leftarrow \beta_1 m + (1-\beta_1) g,\qquad
       s \leftarrow \beta_2 s + (1-\beta_2) g^2 \]
    \[ w \leftarrow w - \eta\,\frac{m / (1-\beta_1^t)}{\sqrt{s / (1-\beta_2^t)} + \epsilon} \]

    Args:
        learning_rate: \(\eta\), a number or a Keras schedule.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        epsilon: at least 0, added to the corrected root.
        l2: \(\lambda\), at least 0, added to the gradient of every trainable tensor.

    Raises:
        ValueError: an argument out of range.
    """

    slots = ("first_moment", "second_moment")
    hyperparameters = ("beta_1", "beta_2", "epsilon", "l2")

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 0.0,
        name: str = "Adam",
        **kwargs,
    ):
        _check_at_least_zero(epsilon=epsilon, l2=l2)
        _check_below_one(beta_1=beta_1, beta_2=beta_2)
        super().__init__(learning_rate, name, **kwargs)
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.l2 = float(l2)

    def _step(self, gradient, variable, rate, first_moment, second_moment):
        """Updates both moments and the variable."""
        # In float64: in float32, 1 - 0.999^t would lose digits.
        steps = tf.cast(self.iterations + 1, tf.float64)
        correction_1, correction_2 = (
            tf.cast(1 - tf.constant(beta, tf.float64) ** steps, variable.dtype)
            for beta in (self.beta_1, self.beta_2)
        )
        first_moment.assign(self.beta_1 * first_moment + (1 - self.beta_1) * gradient)
        second_moment.assign(self.beta_2 * second_moment + (1 - self.beta_2) * gradient**2)
        denominator = tf.sqrt(second_moment / correction_2) + self.epsilon
        variable.assign_sub(rate / correction_1 * first_moment / denominator)
