"""Latency of TFLite files on this machine, one image at a time, on one thread."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

__all__ = ["KERNELS", "Latency", "benchmark", "fastest"]

# The ways Larq Compute Engine has to run a binary convolution. On 64-bit ARM "optimized" is
# hand-written assembly; on x86 it is not, and another one is usually faster.
KERNELS = {
    "optimized": {},
    "reference": {"use_reference_bconv": True},
    "indirect bgemm": {"use_indirect_bgemm": True},
}
FLOAT_KERNEL = "TFLite with XNNPACK"
WARM_UP = 5
REPEATS = 50


@dataclass(frozen=True)
class Latency:
    """How long one image takes.

    Attributes:
        name: of the file.
        kernel: what ran it.
        median_ms: median over the repeats, in milliseconds.
        p95_ms: 95th percentile.
    """

    name: str
    kernel: str
    median_ms: float
    p95_ms: float


def _lce_runner(flatbuffer: bytes, options: dict) -> Callable[[], object]:
    interpreter = Interpreter(flatbuffer, num_threads=1, **options).interpreter
    image = np.zeros(interpreter.input_shapes[0], np.float32)
    return lambda: interpreter.predict([image])


def tensorflow_lite(flatbuffer: bytes) -> tf.lite.Interpreter:
    """TensorFlow Lite's own interpreter, on one thread.

    Raises:
        ValueError: the file is damaged.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
        return tf.lite.Interpreter(model_content=flatbuffer, num_threads=1)


def _tflite_runner(flatbuffer: bytes) -> Callable[[], object]:
    interpreter = tensorflow_lite(flatbuffer)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    interpreter.set_tensor(details["index"], np.zeros(details["shape"], np.float32))
    return interpreter.invoke


def benchmark(binary: bytes, float_twin: bytes) -> list[Latency]:
    """Measures a file with every binary kernel, and its float32 twin with TensorFlow Lite.

    All take turns, so that what else the machine does falls on each alike: believe the ratios.

    Args:
        binary: a TFLite file for Larq Compute Engine with one float32 input.
        float_twin: the same network in float32, for TensorFlow Lite.

    Returns:
        One latency for each kernel, then that of the twin.
    """
    runners = {("binary", name): _lce_runner(binary, options) for name, options in KERNELS.items()}
    runners["float32", FLOAT_KERNEL] = _tflite_runner(float_twin)
    seconds = {key: [] for key in runners}
    for _ in range(WARM_UP + REPEATS):
        for key, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[key].append(time.perf_counter() - start)
    return [
        Latency(
            name,
            kernel,
            median_ms=1e3 * float(np.median(values[WARM_UP:])),
            p95_ms=1e3 * float(np.percentile(values[WARM_UP:], 95)),
        )
        for (name, kernel), values in seconds.items()
    ]


def fastest(latencies: list[Latency], name: str) -> Latency:
    """The one of this name with the smallest median."""
    return min((one for one in latencies if one.name == name), key=lambda one: one.median_ms)
