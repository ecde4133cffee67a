r"""Muon for kernels with ReCU, and SGD for everything else."""

from collections.abc import Iterable

import tensorflow as tf

from recu_tf.number_checks import check_above_zero
from recu_tf.optimizers.sgd import SGD

__all__ = ["Muon", "orthogonalize", "rescale_filters"]

# Of the polynomial of Jordan et al., 2024, which was made for speed.
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
EPSILON = 1e-7


def rescale_filters(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel with a mean square of 1 in each filter.

    Args:
        kernel: (..., filters), of any floating dtype.
    """
    axes = list(range(len(kernel.shape) - 1))
    mean_square = tf.reduce_mean(tf.square(kernel), axes, keepdims=True)
    return kernel / (tf.sqrt(mean_square) + EPSILON)


def orthogonalize(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel with the same singular vectors, whose singular values are near 1.

    The columns of its matrix are the filters. Five steps of the published polynomial bring singular
    values to between 0.68 and 1.21, if they are above 0.002 of the root of the sum of squares.

    Args:
        kernel: (..., filters), of any floating dtype.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    is_wide = matrix.shape[0] < matrix.shape[1]
    if is_wide:  # so that the square matrices are the smaller ones
        matrix = tf.transpose(matrix)
    matrix /= tf.norm(matrix) + EPSILON
    first, second, third = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = tf.matmul(matrix, matrix, transpose_a=True)
        polynomial = second * square + third * tf.matmul(square, square)
        matrix = first * matrix + tf.matmul(matrix, polynomial)
    if is_wide:
        matrix = tf.transpose(matrix)
    return tf.reshape(matrix, kernel.shape)


@tf.keras.utils.register_keras_serializable(package="recu_tf")
class Muon(SGD):
    r"""Muon for the kernels that `set_kernels` names, SGD for all other variables.

    Of a kernel with ReCU only the direction of each filter counts, because ReCU divides it by its
    deviation; how far a step of SGD turns it depends on how long it is. Here the mean square of
    each filter stays 1, and a step changes all filters by the same share. With \(N\), which divides
    each filter by the root of its mean square, and \(O\), which makes the filters orthogonal
    (Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024,
    https://kellerjordan.github.io/posts/muon/):

    \[ v \leftarrow \mu v + g,\qquad w \leftarrow N(w - \eta\,\kappa\,N(O(v))) \]

    Nesterov's momentum takes \(g + \mu v\) for the last \(v\). There is no L2 on these kernels: it
    would change nothing but their length.

    Args:
        learning_rate: \(\eta\), a number or a Keras schedule.
        momentum: \(\mu\) in [0, 1).
        l2: at least 0, of all other variables, see `SGD`.
        nesterov: whether the momentum is Nesterov's.
        kernel_lr_factor: \(\kappa\), above 0: the share of a filter that a step changes, for a
            learning rate of 1.

    Raises:
        ValueError: an argument out of range, or Nesterov's momentum of 0.
    """

    hyperparameters = (*SGD.hyperparameters, "kernel_lr_factor")

    def __init__(
        self,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        l2: float = 0.0,
        name: str = "Muon",
        *,
        nesterov: bool = False,
        kernel_lr_factor: float = 0.3,
        **kwargs,
    ):
        check_above_zero(kernel_lr_factor=kernel_lr_factor)
        super().__init__(learning_rate, momentum, l2, name, nesterov=nesterov, **kwargs)
        self.kernel_lr_factor = float(kernel_lr_factor)
        self._kernels = set()

    def set_kernels(self, kernels: Iterable[tf.Variable]) -> None:
        """Sets the kernels that Muon trains; must be called before the first step.

        A saved model does not keep them: call it again after loading one.

        Args:
            kernels: of layers with ReCU, (..., filters), see
                `recu_tf.models.select_recu_kernels`. Only the direction of a filter counts.
        """
        kernels = list(kernels)
        self._kernels = {self._var_key(kernel) for kernel in kernels}
        self.exclude_from_l2(kernels)

    def _step(self, gradient, variable, rate, buffer):
        """Updates the buffer and the variable."""
        if self._var_key(variable) not in self._kernels:
            super()._step(gradient, variable, rate, buffer)
            return
        self._accumulate(gradient, buffer)
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        change = rescale_filters(orthogonalize(direction))
        variable.assign(rescale_filters(variable - rate * self.kernel_lr_factor * change))
