"""The interpreters of TFLite files that Python has, and the backends that each can run with."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from export import runtime
from export.tflite.file import File
from export.tflite.flatbuffer import read

__all__ = [
    "BACKENDS",
    "DELEGATE",
    "FLOAT_BACKENDS",
    "RESOLVERS",
    "fill_input",
    "find_backends",
    "load_in_tensorflow_lite",
    "make_predict",
    "make_runner",
    "open_in_engine",
    "split_delegate",
]

# The implementations of binary convolutions in Larq Compute Engine, by the options of its
# interpreter. "optimized" is hand-written assembly on 64-bit ARM; on x86 it is not, and another
# backend is usually faster. XNNPACK runs the float operators.
BACKENDS = {
    "optimized": {},
    "reference": {"use_reference_bconv": True},
    "indirect bgemm": {"use_indirect_bgemm": True},
    "optimized with XNNPACK": {"use_xnnpack": True},
    "indirect bgemm with XNNPACK": {"use_indirect_bgemm": True, "use_xnnpack": True},
}
# Without binary operators these differ in XNNPACK alone.
FLOAT_BACKENDS = {"engine": {}, "engine with XNNPACK": {"use_xnnpack": True}}
# `export.runtime` in TensorFlow Lite or LiteRT, whose XNNPACK runs the other operators.
DELEGATE = "delegate"
RESOLVERS = {
    "TFLite": tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "TFLite with XNNPACK": tf.lite.experimental.OpResolverType.AUTO,
}


def load_in_tensorflow_lite(
    flatbuffer: bytes | File,
    *,
    threads: int = 1,
    resolver: tf.lite.experimental.OpResolverType = RESOLVERS["TFLite with XNNPACK"],
) -> tf.lite.Interpreter:
    """Loads a file in TensorFlow Lite's own interpreter.

    Its verifier checks all offsets of a file, which Larq Compute Engine trusts and crashes on. The
    verifier itself crashes on a file without a subgraph, which `read` refuses.

    Args:
        flatbuffer: the file.
        threads: number of threads.
        resolver: the implementations of operators to take, one of `RESOLVERS`.

    Raises:
        ValueError: the file is damaged.
    """
    file = read(flatbuffer)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
        return tf.lite.Interpreter(
            model_content=file.content,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
        )


def open_in_engine(content: bytes, backend: str, threads: int = 1):
    """Opens a file in the engine's interpreter, which trusts the file.

    Args:
        content: of the file.
        backend: one of `BACKENDS` or `FLOAT_BACKENDS`.
        threads: number of threads.

    Raises:
        RuntimeError, ValueError: the engine lacks an operator of the file, or cannot prepare it.
    """
    options = {**BACKENDS, **FLOAT_BACKENDS}[backend]
    return Interpreter(content, num_threads=threads, **options).interpreter


def find_backends(flatbuffer: bytes | File) -> list[str]:
    """Names the backends that a TFLite file may run with.

    Args:
        flatbuffer: the file.

    Returns:
        `DELEGATE`, where it was compiled, and `BACKENDS` for a file with binary operators, which
        TensorFlow Lite alone cannot run; for any other file the two of TensorFlow Lite and
        `FLOAT_BACKENDS`.

    Raises:
        ValueError: the file is damaged.
    """
    if not read(flatbuffer).has_binary_operators:
        return [*RESOLVERS, *FLOAT_BACKENDS]
    return [*([] if runtime.find_problem() else [DELEGATE]), *BACKENDS]


def split_delegate(backend: str) -> tuple[bool, str | None]:
    """Splits "delegate AVX2", which is the delegate with a backend that it would not select itself.

    Args:
        backend: any backend.

    Returns:
        Whether it is the delegate, and the delegate's own backend; None means the one it selects.
    """
    name, _, of_delegate = backend.partition(" ")
    return name == DELEGATE, of_delegate or None


def make_predict(interpreter: tf.lite.Interpreter) -> Callable[[Sequence], list[np.ndarray]]:
    """Makes a function from the inputs of an interpreter, arrays, to its outputs, copies.

    Args:
        interpreter: of TensorFlow Lite or LiteRT, with allocated tensors.
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        for tensor, value in zip(inputs, values, strict=True):
            interpreter.set_tensor(tensor["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(tensor["index"]) for tensor in outputs]

    return predict


def fill_input(shape: tuple[int, ...], dtype: type, rng: np.random.Generator) -> np.ndarray:
    """Fills an input with random real numbers or bytes, and with zeros where it is of another type.

    Zeros, since an integer of four bytes is likely to be an index.

    Raises:
        ValueError: the type is not one of numbers.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub":
        raise ValueError(f"inputs must be numbers, got {dtype}")
    if dtype.kind == "f":
        return rng.uniform(-1, 1, shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return np.zeros(shape, dtype)


def make_runner(
    flatbuffer: bytes | File, backend: str, *, threads: int = 1
) -> Callable[[], list[np.ndarray]]:
    """Makes a function that runs a TFLite file once: copies inputs in, and outputs out.

    Args:
        flatbuffer: the file, which `load_in_tensorflow_lite` has checked, with any number of inputs
            of any shape and numeric type; an open size, such as that of the batch, counts as 1.
        backend: one of `find_backends(flatbuffer)`, or see `split_delegate`.
        threads: number of threads.

    Raises:
        FileNotFoundError: the delegate was not compiled.
        RuntimeError, ValueError: the backend lacks an operator of the file, or cannot prepare it.
    """
    file = read(flatbuffer)
    rng = np.random.default_rng(0)
    in_delegate, of_delegate = split_delegate(backend)
    if in_delegate or backend in RESOLVERS:
        if in_delegate:
            created = runtime.delegate(threads, backend=of_delegate)
            interpreter = runtime.load(file.content, threads, with_delegate=created)
        else:
            resolver = RESOLVERS[backend]
            interpreter = load_in_tensorflow_lite(file, threads=threads, resolver=resolver)
            interpreter.allocate_tensors()
        ends = [(tensor["shape"], tensor["dtype"]) for tensor in interpreter.get_input_details()]
        predict = make_predict(interpreter)
    else:
        engine = open_in_engine(file.content, backend, threads)
        ends = zip(engine.input_shapes, engine.input_types, strict=True)
        predict = engine.predict
    values = [fill_input(shape, dtype, rng) for shape, dtype in ends]
    return lambda: predict(values)
