"""Interpreters of TensorFlow Lite and LiteRT with the delegate in them."""

import ctypes
import importlib.util
import os
import warnings
from pathlib import Path
from typing import NamedTuple

from . import compile_delegate

__all__ = [
    "StepTime",
    "backends",
    "delegate",
    "find_problem",
    "load",
    "name_interpreter",
    "profile",
]

PATH = Path(__file__).with_name(compile_delegate.LIBRARY)


class StepTime(NamedTuple):
    """What a step of the delegate takes: an operator with those that are fused into it.

    Attributes:
        name: of the operators, with the sizes of a convolution.
        microseconds: of a run, on average.
        last_microseconds: of the last run.
        macs: binary multiply-accumulates of a run.
        bytes: that a run reads and writes: inputs, outputs and the weights as the file stores them.
        channels: of the input of a binary convolution; 0 for other steps.
    """

    name: str
    microseconds: float
    last_microseconds: float
    macs: int
    bytes: int
    channels: int


def _has_litert() -> bool:
    return importlib.util.find_spec("ai_edge_litert") is not None


def name_interpreter() -> str:
    """The name of the interpreter that `load` takes: LiteRT if installed, else TensorFlow Lite."""
    return "LiteRT" if _has_litert() else "TensorFlow Lite"


def _interpreter_and_loader():
    """The interpreter and the loader of delegates, of LiteRT if installed, else of TensorFlow."""
    if _has_litert():
        from ai_edge_litert.interpreter import Interpreter, load_delegate

        return Interpreter, load_delegate
    import tensorflow as tf

    return tf.lite.Interpreter, tf.lite.experimental.load_delegate


def find_problem() -> str | None:
    """Says why the delegate cannot be used here, and how to get it; None if it can."""
    if not PATH.exists():
        problem = "does not exist: it was not compiled when the package was installed"
    else:
        try:
            ctypes.CDLL(os.fspath(PATH))
            if _has_litert() or importlib.util.find_spec("tensorflow"):
                return None
            return (
                "the delegate needs an interpreter, LiteRT or TensorFlow Lite: "
                "pip install ai-edge-litert"
            )
        except OSError as error:
            problem = f"cannot be loaded: {error}"
    return (
        f"{PATH} {problem}. Install a C++ compiler, such as Debian's package g++, and run "
        f"python {compile_delegate.__file__}"
    )


def _raise_problem() -> None:
    problem = find_problem()
    if problem is not None:
        raise FileNotFoundError(problem)


def open_library() -> ctypes.CDLL:
    """Opens the library, with the types of its functions, see `source/recu_delegate.h`."""
    library = ctypes.CDLL(os.fspath(PATH))
    for function in (library.recu_backend, library.recu_nodes, library.recu_profile):
        function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    library.recu_backends.restype = ctypes.c_char_p
    library.recu_limit.restype, library.recu_limit.argtypes = ctypes.c_double, [ctypes.c_char_p]
    library.recu_measure_clock.restype = ctypes.c_double
    return library


def backends() -> tuple[str, ...]:
    """The backends of the delegate that this processor can run, the fastest first.

    Raises:
        FileNotFoundError: the library was not compiled at installation, or is of another machine.
    """
    _raise_problem()
    return tuple(open_library().recu_backends().decode().splitlines())


def delegate(num_threads: int = 1, *, backend: str | None = None, measure: bool = False):
    """Creates the delegate, for an interpreter of your own.

    It runs the operators of Larq Compute Engine (`LceQuantize`, `LceBconv2d`, `LceBMaxPool2d`,
    `LceDequantize`) and the float32 operators between them. The interpreter runs all others.

    Args:
        num_threads: threads that share the work of each operator, 1 to 256; there are not more
            than processors.
        backend: one of `backends()`; None selects the first, which is the fastest.
        measure: whether to measure the time of each step, for `profile`.

    Returns:
        A delegate for `Interpreter(experimental_delegates=[...])` of LiteRT or TensorFlow.

    Raises:
        FileNotFoundError: the library was not compiled at installation, or is of another machine.
        ValueError: `num_threads` is out of range, or this processor has no such backend.
    """
    _raise_problem()
    options = {"num_threads": str(num_threads), "profile": str(int(measure))}
    if backend is not None:
        options["backend"] = backend
    _, load_delegate = _interpreter_and_loader()
    return load_delegate(os.fspath(PATH), options)


def load(path: str | os.PathLike | bytes, num_threads: int = 1, *, with_delegate=None):
    """Loads a TFLite file into an interpreter with the delegate.

    Args:
        path: of the file, or its bytes.
        num_threads: threads of the interpreter, and of the delegate.
        with_delegate: from `delegate`; None creates one.

    Returns:
        An interpreter with allocated tensors, of LiteRT (ai-edge-litert) if that is installed, else
        of TensorFlow.

    Raises:
        FileNotFoundError: there is no such file, or no library, see `delegate`.
        RuntimeError: the interpreter cannot prepare the file, or the delegate cannot run a binary
            operator of it, which the message names.
        TypeError: `with_delegate` is no delegate.
        ValueError: the file is damaged; or as for `delegate`.
    """
    if with_delegate is not None:
        _pointer_of(with_delegate)
    content = path if isinstance(path, bytes) else Path(path).read_bytes()
    if with_delegate is None:
        with_delegate = delegate(num_threads)
    interpreter_class, _ = _interpreter_and_loader()
    with warnings.catch_warnings():
        # LiteRT replaces it, and is what runs where it is installed.
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
        interpreter = interpreter_class(
            model_content=content,
            num_threads=num_threads,
            experimental_delegates=[with_delegate],
        )
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        # The interpreter adds that it does not know the operator.
        own = [line for line in str(error).splitlines() if line.startswith("recu: node ")]
        if not own:
            raise
        raise RuntimeError(own[0]) from None
    return interpreter


def _pointer_of(given) -> int:
    """The address of a delegate of LiteRT or TensorFlow, which have no class in common."""
    if not hasattr(given, "_get_native_delegate_pointer"):
        raise TypeError(f"a delegate from `delegate` is needed, got {given!r}")
    return given._get_native_delegate_pointer()


def profile(measured) -> list[StepTime]:
    """The times of all steps that ran since a delegate was created.

    Args:
        measured: from `delegate(measure=True)`, in an interpreter that still exists.

    Raises:
        TypeError: `measured` is no delegate.
        ValueError: it measures nothing.
    """
    pointer = _pointer_of(measured)
    lines = open_library().recu_profile(pointer).decode()
    if not lines:
        raise ValueError(
            "`measured` must be from delegate(measure=True), in an interpreter of a binary network"
        )
    steps = (line.split("\t") for line in lines.splitlines())
    return [
        StepTime(name, float(mean), float(last), int(macs), int(moved), int(channels))
        for name, mean, last, macs, moved, channels in steps
    ]
