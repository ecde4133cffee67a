"""What the delegate's library says of a delegate, and of the processor."""

import ctypes
import os
from importlib import metadata

from . import external_delegate

__all__ = [
    "describe_runtime",
    "find_limit",
    "list_nodes",
    "measure_clock",
    "name_backend",
    "name_interpreter",
]


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(os.fspath(external_delegate.PATH))
    for function in (library.recu_backend, library.recu_nodes):
        function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    library.recu_limit.restype, library.recu_limit.argtypes = ctypes.c_double, [ctypes.c_char_p]
    library.recu_measure_clock.restype = ctypes.c_double
    return library


def name_backend(delegate) -> str:
    """The backend that a delegate uses, such as "AVX2".

    Args:
        delegate: from `export.runtime.delegate`.
    """
    return _library().recu_backend(delegate._get_native_delegate_pointer()).decode()


def list_nodes(delegate) -> list[int]:
    """The operators that a delegate runs, by their numbers in the first graph of the file.

    Args:
        delegate: from `export.runtime.delegate`, in one interpreter.
    """
    nodes = _library().recu_nodes(delegate._get_native_delegate_pointer()).decode()
    return list(map(int, nodes.split()))


def measure_clock() -> float:
    """Measures the clock of the processor as it is now, in cycles per nanosecond."""
    return _library().recu_measure_clock()


def find_limit(backend: str) -> float | None:
    """The most binary multiply-accumulates per cycle and core that a backend could do.

    That is a bound for the widest processor of the kind, derived in `source/limits.cc`.

    Args:
        backend: from `name_backend`.

    Returns:
        None for a backend whose limit is not stated.
    """
    return _library().recu_limit(backend.encode()) or None


def describe_runtime(backend: str | None = None) -> str:
    """Names the delegate's backend, and the interpreter that it runs in.

    Args:
        backend: the delegate's; None means the one it selects on this processor.

    Raises:
        FileNotFoundError, ValueError: see `export.runtime.delegate`.
    """
    created = external_delegate.delegate(backend=backend)
    return f"delegate ({name_backend(created)}) in {name_interpreter()}"


def name_interpreter() -> str:
    """Names the interpreter that `export.runtime.load` returns, with its version."""
    interpreter_class, _ = external_delegate._interpreter_and_loader()
    if interpreter_class.__module__.startswith("ai_edge_litert"):
        return f"LiteRT {metadata.version('ai-edge-litert')}"
    return f"TensorFlow Lite {metadata.version('tensorflow')}"
