"""Runs TFLite files, with Larq Compute Engine or with the delegate, batch after batch."""

import platform
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from export import runtime
from export.keras_graph.inputs_outputs import Inputs, as_list
from export.tflite.backends import DELEGATE, load_in_tensorflow_lite, make_predict, open_in_engine
from export.tflite.file import ENGINE_PREFIX, File
from export.tflite.flatbuffer import read
from recu_tf.messages import in_one_line
from recu_tf.networks.classifiers import split_into_batches

__all__ = [
    "DelegateRefusalError",
    "choose_backend",
    "describe_tensorflow_operators",
    "find_tensorflow_operators",
    "load_in_engine",
    "run",
    "run_all",
]

ARM = ("aarch64", "arm64")


class DelegateRefusalError(ValueError):
    """The delegate cannot run a file.

    Attributes:
        reason: in its words.
    """

    def __init__(self, reason: str):
        super().__init__(f"`flatbuffer` must be a TFLite file that the delegate can run: {reason}")
        self.reason = reason


def load_in_engine(flatbuffer: bytes | File, backend: str | None = None):
    """Loads a file in the engine's interpreter, on one thread.

    Args:
        flatbuffer: the file.
        backend: one of `export.BACKENDS`; None means `choose_backend()`.

    Raises:
        ValueError: it is no TFLite file, is damaged, or holds operators that the engine lacks or
            cannot prepare.
    """
    file = read(flatbuffer)
    try:
        load_in_tensorflow_lite(file)  # checks what the engine trusts, and crashes on
        return open_in_engine(file.content, backend or choose_backend())
    except (ValueError, RuntimeError) as error:
        operators = find_tensorflow_operators(operator.name for operator in file.operators)
        why = describe_tensorflow_operators(operators) if operators else error
        raise ValueError(
            f"`flatbuffer` must be a TFLite file that Larq Compute Engine can run: {why}"
        ) from error


def choose_backend() -> str:
    """Chooses the backend that files are verified with: the faster one on this machine."""
    # "optimized" has no assembly for x86, where "indirect bgemm" is three to four times as fast.
    return "optimized" if platform.machine() in ARM else "indirect bgemm"


def find_tensorflow_operators(names: Iterable[str]) -> list[str]:
    """Finds the operators that only TensorFlow has, not the engine and not TensorFlow Lite.

    Args:
        names: of operators.

    Returns:
        Those names, each once.
    """
    # TensorFlow Lite's own names are in capitals.
    return sorted(
        {name for name in names if not name.isupper() and not name.startswith(ENGINE_PREFIX)}
    )


def describe_tensorflow_operators(operators: Iterable[str], where: str = "") -> str:
    """Describes the operators that `find_tensorflow_operators` found, in a sentence.

    Args:
        operators: their names.
        where: the layers that need them, in words; "" where they are unknown.
    """
    return f"it needs {', '.join(operators)}{where}, which only TensorFlow has."


def run_all(
    flatbuffer: bytes | File, images: Inputs, backend: str | None = None
) -> list[np.ndarray]:
    """Runs a file on images.

    Args:
        flatbuffer: a TFLite file for a fixed number of images.
        images: (count, ...) of the type that the file takes; any count. For several inputs a list
            of such arrays in the order of the file, which `export.convert` keeps as in the model.
        backend: "delegate" (`export.runtime`), or see `load_in_engine`.

    Returns:
        The outputs, each (count, ...), in the order of the file, which is that of the model.

    Raises:
        FileNotFoundError: the delegate was not compiled.
        ValueError: as for `load_in_engine`; a `DelegateRefusalError` from the delegate.
    """
    if backend == DELEGATE:
        size, predict = _load_with_delegate(flatbuffer)
    else:
        engine = load_in_engine(flatbuffer, backend)
        size, predict = engine.input_shapes[0][0], engine.predict
    arrays = as_list(images)
    count = len(arrays[0])
    filled = [split_into_batches(size, array) for array in arrays]
    batches = [predict(list(batch)) for batch in zip(*filled, strict=True)]
    return [np.concatenate(output)[:count] for output in zip(*batches, strict=True)]


def _load_with_delegate(
    flatbuffer: bytes | File,
) -> tuple[int, Callable[[Sequence[np.ndarray]], list[np.ndarray]]]:
    """The images of a batch, and the function that runs one."""
    file = read(flatbuffer)
    try:
        interpreter = runtime.load(file.content)
    except RuntimeError as error:
        reason = in_one_line(error).removeprefix("recu: ")
        raise DelegateRefusalError(reason) from error
    predict = make_predict(interpreter)

    def predict_or_refuse(values: Sequence[np.ndarray]) -> list[np.ndarray]:
        try:
            return predict(values)
        except RuntimeError as error:
            raise DelegateRefusalError(in_one_line(error)) from error

    return int(interpreter.get_input_details()[0]["shape"][0]), predict_or_refuse


def run(flatbuffer: bytes | File, images: Inputs) -> np.ndarray:
    """Runs a file with one output on images; see `run_all`.

    Raises:
        ValueError: as for `load_in_engine`, or the file has more outputs.
    """
    outputs = run_all(flatbuffer, images)
    if len(outputs) != 1:
        raise ValueError(f"`flatbuffer` must have one output, got {len(outputs)}.")
    return outputs[0]
