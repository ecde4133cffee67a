"""Adam with L2, as in PyTorch."""

import tensorflow as tf

from recu_tf.number_checks import check_at_least_zero, check_below_one
from recu_tf.optimizers.with_l2 import WithL2

__all__ = ["Adam"]


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Adam(WithL2):
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
        check_at_least_zero(epsilon=epsilon, l2=l2)
        check_below_one(beta_1=beta_1, beta_2=beta_2)
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
