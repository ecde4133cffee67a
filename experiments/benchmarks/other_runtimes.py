"""The float network in ONNX Runtime and in OpenVINO, where the extra bench is installed."""

import importlib.util
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.conversion.baselines import remove_quantizers
from recu_tf.quantized_scope import preserve_quantized_scope

__all__ = [
    "ONNX",
    "OPENVINO",
    "convert_to_onnx",
    "find_missing_packages",
    "make_onnx_runner",
    "make_openvino_runner",
    "name_precision",
]

ONNX, OPENVINO = "ONNX Runtime", "OpenVINO"
PACKAGES = {ONNX: ("onnxruntime", "tf2onnx"), OPENVINO: ("openvino",)}
OPERATOR_SET = 17


def find_missing_packages() -> dict[str, str]:
    """Why each of the two cannot be measured; one that can be is left out."""
    missing = {
        runtime: [name for name in names if importlib.util.find_spec(name) is None]
        for runtime, names in PACKAGES.items()
    }
    return {
        runtime: f"{' and '.join(names)} not installed (the extra bench)"
        for runtime, names in missing.items()
        if names
    }


@preserve_quantized_scope()
def convert_to_onnx(model: tf.keras.Model) -> bytes:
    """Converts a network without its quantizers to ONNX, for one image at a time.

    Args:
        model: a float32 functional or sequential model with one input.
    """
    import tf2onnx

    baseline = remove_quantizers(model)
    signature = [tf.TensorSpec([1, *model.input_shape[1:]], tf.float32, "image")]
    function = tf.function(lambda image: baseline(image, training=False), signature)
    converted, _ = tf2onnx.convert.from_function(function, signature, opset=OPERATOR_SET)
    return converted.SerializeToString()


def make_onnx_runner(file: bytes, threads: int) -> Callable[[], list[np.ndarray]]:
    """Makes a function that runs an ONNX file once in ONNX Runtime.

    Args:
        file: from `convert_to_onnx`.
        threads: number of threads.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    image = np.random.default_rng(0).uniform(-1, 1, entry.shape).astype(np.float32)
    return lambda: session.run(None, {entry.name: image})


@cache
def _load_openvino():
    """OpenVINO's plugins, once for the process.

    Each set of them moves the stack for signals into memory of its own. With two sets, it ends in
    memory that the first has freed, and the next signal is a segmentation fault.
    """
    import openvino

    return openvino.Core()


def _compile(flatbuffer: bytes, threads: int):
    core = _load_openvino()
    with tempfile.TemporaryDirectory() as folder:  # it reads TFLite from files alone
        path = Path(folder) / "model.tflite"
        path.write_bytes(flatbuffer)
        model = core.read_model(path)
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        if threads == 1:
            settings["NUM_STREAMS"] = 0  # in the thread that asks, without handing over to another
        return core.compile_model(model, "CPU", settings)


def make_openvino_runner(flatbuffer: bytes, threads: int) -> Callable[[], np.ndarray]:
    """Makes a function that runs a float TFLite file once in OpenVINO.

    Args:
        flatbuffer: the float32 baseline.
        threads: number of threads.
    """
    compiled = _compile(flatbuffer, threads)
    request = compiled.create_infer_request()
    shape = tuple(compiled.inputs[0].shape)
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)

    def run() -> np.ndarray:
        request.get_input_tensor().data[:] = image
        request.infer()
        return request.get_output_tensor().data.copy()

    return run


def name_precision(flatbuffer: bytes) -> str:
    """The floating-point numbers that OpenVINO chooses for a file on this processor."""
    return _compile(flatbuffer, 1).get_property("INFERENCE_PRECISION_HINT").get_type_name()
