"""The interpreters of TFLite files that Python has, and the ways each runs one."""

import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from larq_compute_engine.mlir.python import tflite_schema as schema
from larq_compute_engine.tflite.python.interpreter import Interpreter

from export.tflite.flatbuffer import read

__all__ = ["BACKENDS", "FLOAT_BACKENDS", "find_backends", "has_binary_operators", "runner"]

# The ways Larq Compute Engine has to run a binary convolution. On 64-bit ARM "optimized" is
# hand-written assembly; on x86 it is not, and another one is usually faster. XNNPACK takes what is
# left in float.
BACKENDS = {
    "optimized": {},
    "reference": {"use_reference_bconv": True},
    "indirect bgemm": {"use_indirect_bgemm": True},
    "optimized with XNNPACK": {"use_xnnpack": True},
    "indirect bgemm with XNNPACK": {"use_indirect_bgemm": True, "use_xnnpack": True},
}
# Without binary operators those differ in nothing but XNNPACK.
FLOAT_BACKENDS = {"engine": {}, "engine with XNNPACK": {"use_xnnpack": True}}
RESOLVERS = {
    "TFLite": tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "TFLite with XNNPACK": tf.lite.experimental.OpResolverType.AUTO,
}


def tensorflow_lite(
    flatbuffer: bytes,
    threads: int = 1,
    resolver: tf.lite.experimental.OpResolverType = RESOLVERS["TFLite with XNNPACK"],
) -> tf.lite.Interpreter:
    """Loads a file in TensorFlow Lite's own interpreter.

    Its verifier checks all offsets of a file, which Larq Compute Engine trusts and crashes on. The
    verifier itself crashes on a file without a subgraph, which `read` refuses.

    Raises:
        ValueError: the file is damaged.
    """
    read(flatbuffer)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
        return tf.lite.Interpreter(
            model_content=flatbuffer,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
        )


def has_binary_operators(flatbuffer: bytes) -> bool:
    """Whether a TFLite file has operators of Larq Compute Engine's own.

    Args:
        flatbuffer: the file.

    Raises:
        ValueError: the file is damaged.
    """
    tensorflow_lite(flatbuffer)
    model = schema.Model.GetRootAs(flatbuffer, 0)
    codes = [model.OperatorCodes(i).CustomCode() for i in range(model.OperatorCodesLength())]
    return any((code or b"").startswith(b"Lce") for code in codes)


def find_backends(flatbuffer: bytes) -> list[str]:
    """The names of the backends that a TFLite file may run with.

    Those of `BACKENDS` for a file with binary operators, which TensorFlow Lite cannot run; for any
    other file TensorFlow Lite's, and Larq Compute Engine's for what is not binary.

    Args:
        flatbuffer: the file.

    Raises:
        ValueError: the file is damaged.
    """
    return list(BACKENDS) if has_binary_operators(flatbuffer) else [*RESOLVERS, *FLOAT_BACKENDS]


def some_values(shape: tuple[int, ...], dtype: type, rng: np.random.Generator) -> np.ndarray:
    """What an input may hold: random real numbers and bytes; zeros of any other type.

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


def runner(flatbuffer: bytes, backend: str, threads: int = 1) -> Callable[[], list[np.ndarray]]:
    """A function that runs a TFLite file once: inputs copied in, outputs copied out.

    Args:
        flatbuffer: the file, which `tensorflow_lite` has checked. Inputs of any number, shape and
            type of numbers; an open size, such as that of the batch, counts as 1.
        backend: one of `find_backends(flatbuffer)`.
        threads: number of threads.

    Raises:
        RuntimeError, ValueError: the backend lacks an operator of the file, or cannot prepare it.
    """
    rng = np.random.default_rng(0)
    if backend in RESOLVERS:
        interpreter = tensorflow_lite(flatbuffer, threads, RESOLVERS[backend])
        interpreter.allocate_tensors()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        values = [(one["index"], some_values(one["shape"], one["dtype"], rng)) for one in inputs]

        def run():
            for index, value in values:
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            return [interpreter.get_tensor(one["index"]) for one in outputs]

        return run
    options = {**BACKENDS, **FLOAT_BACKENDS}[backend]
    engine = Interpreter(flatbuffer, num_threads=threads, **options).interpreter
    values = [
        some_values(shape, dtype, rng)
        for shape, dtype in zip(engine.input_shapes, engine.input_types, strict=True)
    ]
    return lambda: engine.predict(values)
