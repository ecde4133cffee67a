"""Where the layers and functions in a file come from: those of strangers are refused unexecuted."""

import os
import re
from collections.abc import Iterator

__all__ = ["PACKAGES", "check_origins"]

# Where layers and functions of a `.keras` file may come from.
PACKAGES = ("builtins", "keras", "larq", "larq_zoo", "recu_tf", "tf_keras")
# Segments in the names of TensorFlow's functions that read, write, load or call something.
BEYOND_NUMBERS = (
    "(io|raw_ops|data|train|summary|saved_model|queue|lookup|distribute|debugging|config|autograph)$"
    "|py_|numpy_function|load_|print|.*file|function$|.*Variable"
)


def check_origins(config: object, path: str | os.PathLike) -> None:
    """Refuses a Keras configuration that holds code, or layers or functions of other packages.

    Args:
        config: of a model or layer, as parsed from JSON.
        path: of the file that it comes from, for the error.

    Raises:
        ValueError: it has a `Lambda`, a function of TensorFlow that does more than compute, or
            something that is not from Keras, Larq, larq-zoo or this library.
    """
    for dictionary in _find_dictionaries(config):
        _check_function(dictionary, path)
        package = str(dictionary.get("module") or "builtins").split(".")[0]
        if dictionary.get("class_name") == "Lambda" or package not in PACKAGES:
            raise ValueError(
                f"{path} was refused and nothing in it was executed: it has a layer or function "
                f"{dictionary.get('class_name')} of {dictionary.get('module')}, and may have those "
                f"of {', '.join(PACKAGES[1:])} without Lambda."
            )


def _check_function(config: dict, path: str | os.PathLike) -> None:
    """Refuses a layer that calls a function of TensorFlow which does more than compute."""
    if config.get("class_name") != "TFOpLambda":
        return
    inner = config.get("config")
    name = str(inner.get("function")) if isinstance(inner, dict) else ""
    if any(re.match(BEYOND_NUMBERS, segment) for segment in name.split(".")):
        raise ValueError(
            f"{path} was refused and nothing in it was executed: it has a layer that calls "
            f"tf.{name}, which does more than compute with numbers."
        )


def _find_dictionaries(value: object) -> Iterator[dict]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _find_dictionaries(item)
