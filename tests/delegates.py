"""Runs files with the delegate, with the engine and with TensorFlow Lite alone."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from export import runtime
from export.runtime import external_delegate
from export.tflite.backends import RESOLVERS, load_in_tensorflow_lite, open_in_engine

COMPILED = runtime.find_problem() is None
# Those of this processor.
BACKENDS = runtime.backends() if COMPILED else ()
needs_delegate = pytest.mark.skipif(
    not COMPILED, reason="needs the delegate, which was not compiled"
)


def need_delegate():
    """Skips a test, or all of a module that calls it, where the delegate was not compiled."""
    if not COMPILED:
        pytest.skip("needs the delegate, which was not compiled", allow_module_level=True)


def hide_delegate(monkeypatch):
    """Has the delegate not be compiled, for the rest of a test."""
    monkeypatch.setattr(external_delegate, "PATH", Path("absent/librecu_delegate.so"))


def run_interpreter(interpreter, *images):
    """The outputs of an interpreter of TensorFlow Lite with allocated tensors."""
    for details, values in zip(interpreter.get_input_details(), images, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]


def run_delegate(flatbuffer, *images, backend=None, num_threads=1):
    """The outputs of a file, by one of `BACKENDS`."""
    delegate = runtime.delegate(num_threads, backend=backend)
    return run_interpreter(runtime.load(flatbuffer, with_delegate=delegate), *images)


def run_images(interpreter, *arrays):
    """The outputs of a file for one image, for each of several images."""
    found = [
        run_interpreter(interpreter, *(array[number : number + 1] for array in arrays))
        for number in range(len(arrays[0]))
    ]
    return [np.concatenate(output) for output in zip(*found, strict=True)]


def load_without_xnnpack(flatbuffer):
    """An interpreter with the delegate, and with the float kernels that the engine has as well."""
    interpreter = tf.lite.Interpreter(
        model_content=flatbuffer,
        experimental_delegates=[runtime.delegate()],
        experimental_op_resolver_type=RESOLVERS["TFLite"],
    )
    interpreter.allocate_tensors()
    return interpreter


def count_parts(flatbuffer):
    """How many parts of a file the delegate runs, between operators of the interpreter."""
    nodes = load_without_xnnpack(flatbuffer)._get_ops_details()
    return sum(node["op_name"] == "DELEGATE" for node in nodes)


def run_engine(flatbuffer, *images, backend="reference"):
    """The outputs of a file in Larq Compute Engine, without XNNPACK unless the backend says so."""
    return open_in_engine(flatbuffer, backend).predict(list(images))


def run_tflite(flatbuffer, *images):
    """The outputs of a file of float operators in TensorFlow Lite, without XNNPACK."""
    interpreter = load_in_tensorflow_lite(flatbuffer, resolver=RESOLVERS["TFLite"])
    interpreter.allocate_tensors()
    return run_interpreter(interpreter, *images)
