"""From a trained network to a TFLite file for Larq Compute Engine that is proved."""

import recu_tf  # noqa: F401  (selects legacy Keras before the engine loads TensorFlow's Keras)

try:
    import larq_compute_engine  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The export needs larq-compute-engine, which is not installed: "
        "pip install 'recu_tf[export]'"
    ) from error

from export.audit import Audit, audit
from export.benchmark import KERNELS, Latency, benchmark
from export.classifier import tflite_classifier
from export.convert import convert
from export.runs import ExportError, Report, export_run
from export.twins import convert_float_twin
from export.verify import Verification, verify

__all__ = [
    "KERNELS",
    "Audit",
    "ExportError",
    "Latency",
    "Report",
    "Verification",
    "audit",
    "benchmark",
    "convert",
    "convert_float_twin",
    "export_run",
    "tflite_classifier",
    "verify",
]
