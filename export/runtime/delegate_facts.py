"""What the delegate's library says of a delegate, and of the processor."""

from importlib import metadata

from . import external_delegate
from .external_delegate import open_library

__all__ = [
    "describe_runtime",
    "find_limit",
    "list_nodes",
    "measure_clock",
    "name_backend",
    "name_interpreter",
]

# What pip calls each interpreter.
DISTRIBUTIONS = {"LiteRT": "ai-edge-litert", "TensorFlow Lite": "tensorflow"}


def name_backend(delegate) -> str:
    """The backend that a delegate uses, such as "AVX2".

    Args:
        delegate: from `export.runtime.delegate`.
    """
    return open_library().recu_backend(delegate._get_native_delegate_pointer()).decode()


def list_nodes(delegate) -> list[int]:
    """The operators that a delegate runs, by their numbers in the first graph of the file.

    Args:
        delegate: from `export.runtime.delegate`, in one interpreter.
    """
    nodes = open_library().recu_nodes(delegate._get_native_delegate_pointer()).decode()
    return list(map(int, nodes.split()))


def measure_clock() -> float:
    """Measures the clock of the processor as it is now, in cycles per nanosecond."""
    return open_library().recu_measure_clock()


def find_limit(backend: str) -> float | None:
    """The most binary multiply-accumulates per cycle and core that a backend could do.

    That is a bound for the widest processor of the kind, derived in `source/limits.cc`.

    Args:
        backend: from `name_backend`.

    Returns:
        None for a backend whose limit is not stated.
    """
    return open_library().recu_limit(backend.encode()) or None


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
    name = external_delegate.name_interpreter()
    return f"{name} {metadata.version(DISTRIBUTIONS[name])}"
