"""Steps of binary kernels whose length is a share of the kernels.

ReCU divides the weights of a filter by their deviation, so that only their direction counts, and
how far a step of SGD turns it depends on how small L2 has made it. With these, the mean square of
each filter stays 1, and the learning rate is the share of a filter that a step changes.

- "turn" takes the direction of SGD's step, filter by filter.
- "muon" makes the filters of that step orthogonal first (Jordan et al., Muon: an optimizer for
  hidden layers in neural networks, 2024).
- "adam" divides the step of each weight by the root of its mean square (Kingma and Ba: Adam, ICLR
  2015).
"""

import tensorflow as tf

__all__ = ["orthogonalize", "rescale_filters"]

# Of Muon's polynomial, which brings singular values from 0 to 1 near 1 in five steps.
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
EPSILON = 1e-7


def rescale_filters(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel (height, width, channels, filters) with a mean square of 1 in each filter."""
    mean_square = tf.reduce_mean(tf.square(kernel), axis=[0, 1, 2], keepdims=True)
    return kernel / (tf.sqrt(mean_square) + EPSILON)


def orthogonalize(kernel: tf.Tensor) -> tf.Tensor:
    """The kernel (height, width, channels, filters) with singular values near 1.

    Its rows are the weights of a filter, its columns the filters.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    matrix /= tf.norm(matrix) + EPSILON
    first, second, third = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = tf.matmul(matrix, matrix, transpose_a=True)
        polynomial = second * square + third * tf.matmul(square, square)
        matrix = first * matrix + tf.matmul(matrix, polynomial)
    return tf.reshape(matrix, kernel.shape)
