"""Metrics of a binary network's kernels, and the callback that measures them during training."""

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
