"""Runs TFLite files with the interpreter of Larq Compute Engine, a batch after the other."""

import platform
from collections.abc import Iterable

import numpy as np
from larq_compute_engine.tflite.python.interpreter import Interpreter

from export.keras_graph.inputs_outputs import Inputs, as_list
from export.tflite.backends import BACKENDS, tensorflow_lite
from export.tflite.flatbuffer import read
from recu_tf.networks import batches_of

__all__ = ["checked_interpreter", "choose_backend", "other_operators", "run", "run_all"]

ARM = ("aarch64", "arm64")


def checked_interpreter(flatbuffer: bytes, backend: str | None = None):
    """The engine's interpreter of a file, on one thread.

    Args:
        flatbuffer: the file.
        backend: one of `export.tflite.backends.BACKENDS`; None means the one that is fast here.

    Raises:
        ValueError: it is no TFLite file, is damaged, or holds operators that the engine lacks or
            cannot prepare.
    """
    options = BACKENDS[backend or choose_backend()]
    try:
        tensorflow_lite(flatbuffer)  # checks what the engine takes on trust, and crashes on
        return Interpreter(flatbuffer, num_threads=1, **options).interpreter
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"`flatbuffer` must be a TFLite file that Larq Compute Engine can run: "
            f"{_missing(flatbuffer) or error}"
        ) from error


def choose_backend() -> str:
    """The name of the backend that files are verified with."""
    # Three to four times as fast as the other on x86, which "optimized" has no assembly for.
    return "optimized" if platform.machine() in ARM else "indirect bgemm"


def other_operators(names: Iterable[str]) -> list[str]:
    """Those of these operators that neither the engine nor TensorFlow Lite has, each once."""
    # Their own are in capitals, or begin with the engine's mark.
    return sorted({name for name in names if not name.isupper() and not name.startswith("Lce")})


def _missing(flatbuffer: bytes) -> str:
    """The operators of a file that neither the engine nor TensorFlow Lite has, in words."""
    try:
        names = {one.name for one in read(flatbuffer).operators}
    except ValueError:
        return ""
    others = other_operators(names)
    return f"it needs {', '.join(others)}, which only TensorFlow has." if others else ""


def run_all(flatbuffer: bytes, images: Inputs, backend: str | None = None) -> list[np.ndarray]:
    """Runs a file on images.

    Args:
        flatbuffer: a TFLite file for a fixed number of images.
        images: (count, ...) of the type that the file takes; any count. For several inputs a list
            of such arrays, in the order of the file, which `export.convert` makes the model's.
        backend: see `checked_interpreter`.

    Returns:
        Its outputs, each (count, ...), in the order of the file, which is the model's as well.

    Raises:
        ValueError: as for `checked_interpreter`.
    """
    interpreter = checked_interpreter(flatbuffer, backend)
    arrays = as_list(images)
    size, count = interpreter.input_shapes[0][0], len(arrays[0])
    filled = [batches_of(size, array) for array in arrays]
    batches = [interpreter.predict(list(batch)) for batch in zip(*filled, strict=True)]
    return [np.concatenate(output)[:count] for output in zip(*batches, strict=True)]


def run(flatbuffer: bytes, images: Inputs) -> np.ndarray:
    """Runs a file with one output on images; see `run_all`.

    Raises:
        ValueError: as for `checked_interpreter`, or the file has more outputs.
    """
    outputs = run_all(flatbuffer, images)
    if len(outputs) != 1:
        raise ValueError(f"`flatbuffer` must have one output, got {len(outputs)}.")
    return outputs[0]
