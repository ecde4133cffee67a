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
from export.benchmark import Benchmark, Latency, benchmark
from export.classifier import tflite_classifier
from export.convert import convert
from export.export_options import Options
from export.exporting import Exported, export_network
from export.int8 import quantized
from export.kernels import KERNELS
from export.refusals import ExportError
from export.report import Report, export_bundle
from export.rewriting import float32_model, rewrite
from export.sources import Source, load
from export.twins import convert_float_twin, convert_int8_twin
from export.verify import Verification, verify

__all__ = [
    "KERNELS",
    "Audit",
    "Benchmark",
    "ExportError",
    "Exported",
    "Latency",
    "Options",
    "Report",
    "Source",
    "Verification",
    "audit",
    "benchmark",
    "convert",
    "convert_float_twin",
    "convert_int8_twin",
    "export_bundle",
    "export_network",
    "float32_model",
    "load",
    "quantized",
    "rewrite",
    "tflite_classifier",
    "verify",
]
