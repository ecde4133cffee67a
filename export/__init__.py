"""Exports a trained network as a verified TFLite file for Larq Compute Engine."""

import recu_tf  # noqa: F401  (selects legacy Keras before the engine loads TensorFlow's Keras)

try:
    import larq_compute_engine  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The export needs larq-compute-engine, which is not installed: "
        "pip install 'recu_tf[export]'"
    ) from error

from export.conversion.baselines import convert_float_baseline, convert_int8_baseline
from export.conversion.converter import convert
from export.conversion.int8.quantize import quantize
from export.conversion.rewriting import float32_model, rewrite
from export.export_options import Options
from export.exporter import Report, export_bundle
from export.loading.sources import Source, load
from export.measurement.latency import Benchmark, Latency, benchmark
from export.pipeline import Exported, export_network
from export.proof.auditing import Audit, audit
from export.proof.verification import Verification, verify
from export.refusals import ExportError
from export.tflite.backends import BACKENDS
from export.tflite.classifier import make_tflite_classifier

__all__ = [
    "BACKENDS",
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
    "convert_float_baseline",
    "convert_int8_baseline",
    "export_bundle",
    "export_network",
    "float32_model",
    "load",
    "make_tflite_classifier",
    "quantize",
    "rewrite",
    "verify",
]
