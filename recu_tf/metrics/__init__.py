"""Metrics of a binary network's kernels, and the callback that measures them during training.

Examples:
    >>> kernel = tf.random.stateless_normal((3, 3, 64, 64), seed=(0, 0))
    >>> f"{recu_tf.metrics.dead_weights(kernel, tau=0.85):.3f}"  # Laplace weights: 0.3
    '0.334'
    >>> f"{recu_tf.metrics.quantization_error(kernel):.3f}"  # 1 - 2 / pi
    '0.364'
    >>> f"{recu_tf.metrics.sign_entropy(kernel):.3f}"
    '1.000'
    >>> signs = tf.constant([-1.0, 1.0, 1.0, 1.0])
    >>> f"{recu_tf.metrics.flipped_signs(signs, tf.reverse(signs, [0])):.2f}"
    '0.50'

    Of a network, and after each epoch, by a callback in front of those that write logs:

    >>> model = tf.keras.Sequential()
    >>> model.add(lq.layers.QuantDense(2, kernel_quantizer="recu", input_shape=(8,), name="d"))
    >>> for name, (kernel, quantizer) in recu_tf.metrics.find_quantized_kernels(model).items():
    ...     print(name, kernel.shape, f"{quantizer.tau.numpy():.2f}")
    d (8, 2) 0.85
    >>> callback = recu_tf.metrics.Diagnostics(log_dir="logs")  # for `fit`
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((4, 8)), np.ones((4, 2)), callbacks=[callback], verbose=0)
    >>> callback.set_state(callback.get_state())  # in a training that goes on
    >>> recu_tf.metrics.METRICS  # the names in its logs
    ('dead_weights', 'flipped_signs', 'quantization_error', 'sign_entropy')
"""

from recu_tf.metrics.diagnostics import Diagnostics, find_quantized_kernels
from recu_tf.metrics.kernel_metrics import (
    METRICS,
    dead_weights,
    flipped_signs,
    quantization_error,
    sign_entropy,
)

__all__ = [
    "METRICS",
    "Diagnostics",
    "dead_weights",
    "find_quantized_kernels",
    "flipped_signs",
    "quantization_error",
    "sign_entropy",
]
