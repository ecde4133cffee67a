"""`config.json` in a run directory: reading and checking it."""

import platform
from importlib import metadata
from pathlib import Path

from recu_tf import json_text
from recu_tf.choices import OWN

__all__ = ["FORMAT", "PARTIAL_CONFIG", "list_versions", "read_config"]

FORMAT = 1
PARTIAL_CONFIG = ".config.partial.json"  # written before it is renamed
REQUIRED_KEYS = (
    "versions",
    "settings",
    "num_classes",
    "class_names",
    "input_shape",
    "normalization",
)
PACKAGES = ("recu_tf", "tensorflow", "tf-keras", "larq", "numpy")


def list_versions() -> dict[str, str]:
    """The installed versions of Python, of this library and of the packages it builds on."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages}


def read_config(path: Path) -> dict:
    """Reads and checks the configuration of a run.

    Args:
        path: of `config.json`.

    Raises:
        FileNotFoundError: there is no such file, so its directory is not a run directory.
        ValueError: it is not JSON, has a format that this version cannot read, lacks a key, or has
            a value of the wrong type.
    """
    try:
        config = json_text.parse(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if path.parent.is_file():
            raise FileNotFoundError(
                f"{path.parent} is a file, where a run directory is expected."
            ) from None
        raise FileNotFoundError(
            f"{path.parent} is not a run directory: it has no config.json."
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{path} must have format {FORMAT}, the one that this version of recu_tf reads, got "
            f"{found!r}."
        )
    missing = [key for key in REQUIRED_KEYS if key not in config]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}.")
    _check_classes(config, path)
    _check_normalization(config, path)
    return config


def _check_classes(config: dict, path: Path) -> None:
    classes, names, shape = (config[key] for key in ("num_classes", "class_names", "input_shape"))
    sizes = [classes, *shape] if isinstance(shape, list) else [None]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(
            f"`input_shape` in {path} must be a list of positive whole numbers and `num_classes` "
            f"a positive whole number, got {shape!r} and {classes!r}."
        )
    strings = names if isinstance(names, list) else [None]
    if names is not None and not all(isinstance(string, str) for string in strings):
        raise ValueError(
            f"`class_names` in {path} must be a list of strings or null, got {names!r}."
        )


def _check_normalization(config: dict, path: Path) -> None:
    settings = config["settings"]
    is_own = isinstance(settings, dict) and settings.get("dataset") == OWN
    if config["normalization"] is None and is_own:
        return
    try:
        channels = config["input_shape"][-1]
        statistics = [config["normalization"][key] for key in ("mean", "std")]
        is_valid = all(
            len(values) == channels and all(isinstance(value, int | float) for value in values)
            for values in statistics
        )
    except (TypeError, KeyError, IndexError):
        is_valid = False
    if not is_valid:
        raise ValueError(
            f"`normalization` in {path} must have a mean and a std for each channel of "
            f"`input_shape`, got {config['normalization']!r}."
        )
