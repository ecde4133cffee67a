"""What users may rely on: the names on the pages of the Python reference, and what they say."""

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from experiments.docs.api_pages import find_public_modules

PACKAGES = ("recu_tf", "experiments", "export")
HEADING = re.compile(r"^(Args|Attributes|Examples|Raises|References|Returns|Warns):$", re.MULTILINE)
ENTRY = re.compile(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*): ", re.MULTILINE)


class PublicName(NamedTuple):
    """A class, a function, a method, or an object that can be called."""

    path: str
    member: Callable

    @property
    def doc(self) -> str:
        """The docstring; of an object, that of its class."""
        return inspect.getdoc(self.member) or ""

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.member)


def is_ours(member: object) -> bool:
    return (getattr(member, "__module__", None) or "").split(".")[0] in PACKAGES


def list_others(module: ModuleType) -> list[str]:
    """The paths of its public names that are neither functions nor classes, such as tables."""
    called = {name.path for name in list_names(module)}
    paths = [f"{module.__name__}.{name}" for name in module.__all__]
    return [path for path in paths if path not in called]


def list_names(module: ModuleType) -> list[PublicName]:
    members = {name: getattr(module, name) for name in module.__all__}
    return [
        PublicName(f"{module.__name__}.{name}", member)
        for name, member in members.items()
        if callable(member) and is_ours(member)
    ]


def list_methods(name: PublicName) -> list[PublicName]:
    """The public methods that a class brings along; not those that it overrides for Keras."""
    if not name.is_class:
        return []
    inherited = {key for base in name.member.__mro__ if not is_ours(base) for key in vars(base)}
    methods = {
        key: getattr(name.member, key)
        for key, value in vars(name.member).items()
        if not key.startswith("_") and key not in inherited
        # Not the default of a field.
        if getattr(value, "__name__", "") == key
    }
    return [PublicName(f"{name.path}.{key}", method) for key, method in methods.items()]


MODULES = list(map(importlib.import_module, find_public_modules(Path(__file__).parents[1])))
NAMES = [name for module in MODULES for name in list_names(module)]
METHODS = [method for name in NAMES for method in list_methods(name)]


def read_sections(doc: str) -> dict[str, str]:
    """The text below each heading of a docstring; that in front of them below ""."""
    lead, *rest = HEADING.split(doc)
    return {"": lead, **dict(zip(rest[::2], rest[1::2], strict=True))}


def read_entries(doc: str) -> dict[str, str]:
    """What a docstring says of each argument or attribute."""
    sections = read_sections(doc)
    entries = {}
    for heading in ("Args", "Attributes"):
        _, *parts = ENTRY.split(sections.get(heading, ""))
        for names, text in zip(parts[::2], parts[1::2], strict=True):
            entries |= {name.lstrip("*"): " ".join(text.split()) for name in names.split(", ")}
    return entries
