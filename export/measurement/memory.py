"""Memory that a TFLite file takes once it is loaded, measured in a process of its own.

This file is also the program of that process. It is run by its path and imports neither the rest
of the package nor TensorFlow, whose own memory would drown that of a small network.
"""

import importlib.util
import json
import signal
import subprocess
import sys
import tempfile
import types
from pathlib import Path

__all__ = ["measure_loaded_memory"]

STATUS = Path("/proc/self/status")
ENGINE = "larq_compute_engine"


def measure_loaded_memory(flatbuffer: bytes, options: dict[str, bool]) -> int | None:
    """Measures how much memory a file takes in Larq Compute Engine's interpreter, on one thread.

    A fresh process loads the interpreter and notes its resident anonymous memory (`RssAnon`, which
    leaves out the code of libraries), then reads the file, prepares it, runs it once on zeros, and
    notes it again. The difference holds the interpreter's copy of the file, its tensors, weights
    that a backend packs anew, and the inputs and outputs. It comes in pages of 4 kB, and the
    allocator's reserve makes it about 100 kB too small or too large.

    Args:
        flatbuffer: the file, of any inputs. It need not be sound: at worst it ends that process.
        options: of the interpreter, a value of `BACKENDS` or `FLOAT_BACKENDS` in
            `export.tflite.backends`.

    Returns:
        Bytes; None where the system does not report them (all but Linux).

    Raises:
        RuntimeError: the interpreter refuses the file with these options, or crashes on it.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.tflite"
        path.write_bytes(flatbuffer)
        done = subprocess.run(
            [sys.executable, __file__, str(path), json.dumps(options)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise RuntimeError(f"the interpreter crashes on it ({name})")
    if done.returncode:
        # The engine says why on standard error, and only where it happened in the exception.
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise RuntimeError(lines[0] if lines else "the interpreter ends on it")
    return json.loads(done.stdout.splitlines()[-1])


def _load_interpreter_class() -> type:
    """The engine's interpreter without the engine's own `__init__`, which loads TensorFlow."""
    parent = types.ModuleType(ENGINE)
    parent.__path__ = list(importlib.util.find_spec(ENGINE).submodule_search_locations)
    sys.modules[ENGINE] = parent
    module = importlib.import_module(f"{ENGINE}.tflite.python.interpreter")
    # That module imports it only at its first use.
    importlib.import_module(f"{ENGINE}.tflite.python.interpreter_wrapper_lite")
    return module.Interpreter


def _measure_resident_memory() -> int | None:
    """Resident anonymous memory of this process, in bytes."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
    return 1024 * kilobytes[0] if kilobytes else None


def _measure(path: str, options: dict[str, bool]) -> int | None:
    import numpy as np

    interpreter_class = _load_interpreter_class()
    before = _measure_resident_memory()
    interpreter = interpreter_class(Path(path).read_bytes(), num_threads=1, **options).interpreter
    shapes = zip(interpreter.input_shapes, interpreter.input_types, strict=True)
    interpreter.predict([np.zeros(shape, dtype) for shape, dtype in shapes])
    return None if before is None else _measure_resident_memory() - before


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose files are no modules of their own
    try:
        print(json.dumps(_measure(sys.argv[1], json.loads(sys.argv[2]))))
    except (RuntimeError, ValueError, TypeError) as error:
        sys.exit(str(error))
