"""SGD with momentum and L2, as in PyTorch."""

import tensorflow as tf

from recu_tf.number_checks import check_at_least_zero, check_below_one
from recu_tf.optimizers.with_l2 import WithL2

__all__ = ["SGD"]


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class SGD(WithL2):
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
        check_at_least_zero(l2=l2)
        check_below_one(momentum=momentum)
        if nesterov and not momentum:
            raise ValueError("`nesterov` needs a `momentum` above 0, got 0.")
        super().__init__(learning_rate, name, **kwargs)
        self.momentum = float(momentum)
        self.l2 = float(l2)
        self.nesterov = nesterov

    def _step(self, gradient, variable, rate, buffer):
        """Updates the buffer and the variable."""
        self._accumulate(gradient, buffer)
        if self.nesterov:
            variable.assign_sub(rate * gradient)
            variable.assign_sub(rate * self.momentum * buffer)
        else:
            variable.assign_sub(rate * buffer)

    def _accumulate(self, gradient, buffer):
        """Adds the gradient to the decayed buffer."""
        # Two assignments, not a sum: TensorFlow merges chained additions into a single one, whose
        # order depends on which buffers are free, so the last bits would differ from run to run.
        buffer.assign(self.momentum * buffer)
        buffer.assign_add(gradient)
