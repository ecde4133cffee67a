"""Checks the folder of an export against its description, and runs its golden sample."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

from export import runtime
from export.bundle.writer import FILES
from export.proof.golden import YARDSTICK
from export.runtime import predict
from export.tflite.backends import BACKENDS, DELEGATE, make_predict
from recu_tf.messages import in_one_line

__all__ = ["ReverificationError", "check_files", "hash_file", "run_self_tests"]


class ReverificationError(Exception):
    """A folder differs from its description, or does not compute what the network does."""

    exit_code = 1


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_files(directory: Path, hashes: dict) -> int:
    """Counts the files of an export, after checking each against its SHA-256.

    Args:
        directory: of the export.
        hashes: SHA-256 of each file, hexadecimal, by name.

    Raises:
        ReverificationError: a file is missing or another one.
        ValueError: a file is named that no export has.
    """
    # A description could name files outside of the folder.
    others = sorted(set(hashes) - set(FILES))
    if others:
        raise ValueError(
            f"{directory / 'model.json'} is damaged: {', '.join(map(repr, others))} cannot be in "
            "an export."
        )
    wrong = []
    for name in sorted({"model.tflite", "predict.py", *hashes}):
        path = directory / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif hash_file(path) != hashes.get(name):
            wrong.append(f"{name} is damaged or another file")
    if wrong:
        raise ReverificationError(f"{directory} FAILED: {', '.join(wrong)}")
    return len(hashes)


def run_self_tests(directory: Path, description: dict) -> dict[str, str]:
    """Runs the golden sample with each backend that can run the file.

    Args:
        directory: of the export.
        description: what its `model.json` holds.

    Returns:
        The result in words, by the name of the backend; empty without a sample.

    Raises:
        ReverificationError: a backend does not repeat the sample.
        ValueError: something in the folder cannot be used.
    """
    named = description.get("kernels")
    named = named if isinstance(named, list) else []
    results = {}
    try:
        network = predict.read_network(directory / "model.json")
        if network.golden is None:
            return {}
        if DELEGATE in named:
            results[DELEGATE] = _run_with_delegate(directory, network)
        # Without a list, the backend that all others are compared with.
        for name in [name for name in BACKENDS if name in named] or [YARDSTICK]:
            results[name] = predict.run_self_test(directory, name="engine", options=BACKENDS[name])
    except predict.Refused as refused:
        raise ValueError(f"{refused}.") from None
    failed = [f"{name}: {words}" for name, (passed, words) in results.items() if not passed]
    if failed:
        raise ReverificationError(f"{directory} FAILED: {'; '.join(failed)}")
    return {name: words for name, (_, words) in results.items()}


def _run_with_delegate(directory: Path, network: SimpleNamespace) -> tuple[bool, str]:
    """Runs the golden sample with the delegate, in TensorFlow Lite where there is no LiteRT."""
    problem = runtime.find_problem()
    if problem is not None:
        return True, f"not run, {problem}"
    golden = predict.read_golden(directory, network)
    try:
        interpreter = runtime.load(directory / "model.tflite")
    except RuntimeError as error:
        return False, f"it cannot run the file: {in_one_line(error)}"
    title = f"{runtime.name_interpreter()} with the delegate"
    return predict.compare_with_golden(
        golden, SimpleNamespace(title=title, predict=make_predict(interpreter))
    )
