"""Exports a trained network as a verified TFLite file for Larq Compute Engine.

Examples:
    A network of your own, in memory or in a file; or "pretrained/digits-resnet20" by its name:

    >>> layers = [
    ...     tf.keras.layers.Conv2D(32, 3, input_shape=(12, 12, 3)),
    ...     lq.layers.QuantConv2D(
    ...         32, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
    ...     ),
    ...     tf.keras.layers.GlobalAveragePooling2D(),
    ... ]
    >>> model = tf.keras.Sequential(layers)
    >>> source = export.Source(model, "my network", "my_export")
    >>> model.save("mine.keras")
    >>> source = export.load("mine.keras")

    A folder with a verified file; or only the file, or why there is none:

    >>> report = export.export_bundle(source, "my_export", options=export.Options(uint8=False))
    >>> report.verification.passed, report.audit.binary
    (True, 1)
    >>> try:
    ...     exported = export.export_network(source)
    ... except export.ExportError as error:
    ...     print(error.reason)

    Step by step; only the last of these functions verifies the outputs:

    >>> images = np.random.default_rng(0).normal(size=(40, 12, 12, 3)).astype("float32")
    >>> rewritten, rewritings = export.rewrite(export.float32_model(model), images)
    >>> file = export.convert(rewritten)
    >>> audit = export.audit(file, rewritten)
    >>> audit.lost, audit.as_dict()["binary"]
    ({}, 1)
    >>> export.make_tflite_classifier(file).predict(images).shape
    (40, 32)
    >>> export.verify(file, model, images, converted=rewritten).passed
    True

    The layers that are not binary in int8, and the same network without its quantizers, to compare:

    >>> int8 = export.convert(export.quantize(model, images))
    >>> files = {"binary": file, "float": export.convert_float_baseline(model)}
    >>> files["int8"] = export.convert_int8_baseline(model, images)
    >>> measured = export.benchmark(files, repeats=5)
    >>> sorted({latency.name for latency in measured.latencies})
    ['binary', 'float', 'int8']
    >>> {*export.BACKENDS} <= {latency.backend for latency in measured.latencies}  # the engine's
    True
"""

import numpy as np

import recu_tf  # noqa: F401  (selects legacy Keras before the engine loads TensorFlow's Keras)

try:
    import larq_compute_engine  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The export needs larq-compute-engine, which is not installed: "
        "pip install 'recu_tf[export]'"
    ) from error

if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
    # With it the engine's converter fails in the middle of its work.
    raise ImportError(
        f"The export needs NumPy below 2, as larq-compute-engine does, got {np.__version__}: "
        "pip install 'recu_tf[export]'"
    )

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
