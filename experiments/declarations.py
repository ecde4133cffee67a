"""The settings and choices that the library declares, for the command line.

The files that declare them are loaded by their paths: `import recu_tf` loads TensorFlow, which
takes seconds that help must not wait for.
"""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

__all__ = [
    "CHOICES",
    "DATASETS",
    "FOLDER_OR_NETWORK",
    "LOGS",
    "MODELS",
    "MOST_REPORTED",
    "NAMED_NETWORK",
    "NETWORK",
    "NETWORK_NAMES",
    "NETWORK_OR_TFLITE",
    "PRETRAINED",
    "PRETRAINED_PREFIX",
    "SETTINGS",
]


def _load(name: str) -> ModuleType:
    path = Path(importlib.util.find_spec("recu_tf").origin).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"declared_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_choices = _load("choices")
CHOICES: dict[str, tuple[str, ...]] = _choices.CHOICES
DATASETS = CHOICES["dataset"]
# The published networks alone, whose weights checkpoints hold; `CHOICES["model"]` has others too.
MODELS: tuple[str, ...] = _choices.MODELS
NETWORK_NAMES: tuple[str, ...] = _choices.NETWORK_NAMES
LOGS: tuple[str, ...] = _choices.LOGS
# What commands take that take a network, and those that also run files for phones.
NETWORK: str = _choices.NETWORK_FORMATS
NETWORK_OR_TFLITE = f"a .tflite file, {NETWORK}"
# The first of these is what `recu export` writes.
FOLDER_OR_NETWORK = f"a folder with a model.tflite in it, {NETWORK_OR_TFLITE}"
# For commands that need no trained weights.
NAMED_NETWORK = "the name of a network, which recu summary --help lists and which is untrained"
_pretrained = _load("pretrained")
# The networks that come along, and what stands before their names where any network can be named.
PRETRAINED: tuple[str, ...] = _pretrained.NAMES
PRETRAINED_PREFIX: str = _pretrained.PREFIX
MOST_REPORTED = 8  # runs in a report, each in a colour that can be told from the others
SETTINGS: dict[str, dataclasses.Field] = {
    field.name: field for field in dataclasses.fields(_load("settings").Settings)
}
