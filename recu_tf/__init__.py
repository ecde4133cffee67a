"""ReCU binary neural networks (Xu et al., ICCV 2021) for Keras and Larq.

Importing this package selects legacy Keras (tf-keras 2), which Larq needs, and registers the
quantizers, so that ``kernel_quantizer="recu"`` works in every Larq layer.
"""

import importlib
import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

# TensorFlow decides where tensorflow.keras comes from when it is imported, and once for all. If
# that was before the line above, or the variable says otherwise, Larq fails in ways hard to read.
if not importlib.import_module("tensorflow.keras.layers").Layer.__module__.startswith("tf_keras"):
    raise ImportError(
        "recu_tf and Larq need legacy Keras (tf-keras 2), but TensorFlow was imported with Keras "
        "3. Import recu_tf before tensorflow, or set the environment variable "
        "TF_USE_LEGACY_KERAS=1 before Python starts."
    )

from recu_tf import (
    batch_norm,
    data,
    evaluation,
    larq_summary,
    larq_warnings,  # noqa: F401
    layers,
    metrics,
    models,
    networks,
    optimizers,
    pretrained,
    pytorch,
    quantizers,
    runs,
    schedules,
    settings,
    training,
)

__version__ = "0.2.0"

__all__ = [
    "batch_norm",
    "data",
    "evaluation",
    "larq_summary",
    "layers",
    "metrics",
    "models",
    "networks",
    "optimizers",
    "pretrained",
    "pytorch",
    "quantizers",
    "runs",
    "schedules",
    "settings",
    "training",
]
