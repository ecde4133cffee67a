"""Public docstrings say what they have to; which names those are is in public_names.py."""

import builtins
import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from public_names import METHODS, MODULES, NAMES, list_names, read_entries, read_sections
from raised_errors import list_errors

ARRAYS = (tf.Tensor, np.ndarray, tf.data.Dataset)
# Such as (batch, height, width, channels), or in words.
SHAPE = re.compile(r"\((batch|channels|count|height|\.\.\.)[^)]*,|\brank \d|\bshapes?\b|\bscalar\b")
# What a number counts or measures, or between which limits it lies; or who says so. The name of an
# argument may say it.
UNIT = re.compile(
    r"\b(axis|bytes|channels|classes|deviations|epochs?|factor|images|learning rate|logits|ms|"
    r"numbers?|outputs|passes|pixels|rows|seconds|shape|shards?|shares?|steps|temperature|threads|"
    r"times)\b|\b(at least|above|below|from) \d|in [(\[]|\b0 as published|\bsee `"
)
# Who says that it has to be computed like that.
SOURCE = re.compile(
    r"https?://|\b(published|PyTorch|larq-zoo)\b|\b(Keras'|Larq's|PyTorch's)|\b(ReCU|Net), section"
)
# What comes from papers, stands in for a function of PyTorch or Keras, or does as published.
SOURCED = (
    "batch_norm",
    "layers",
    "metrics",
    "models",
    "optimizers",
    "pytorch",
    "quantizers",
    "schedules",
    "settings",
)
# But for what only this project has.
WITHOUT_SOURCE = (
    "recu_tf.metrics.find_quantized_kernels",
    "recu_tf.models.build_like",
    "recu_tf.models.build_second_stage",
    "recu_tf.models.check_name",
    "recu_tf.models.get_input_shape",
    "recu_tf.models.get_variant",
    "recu_tf.models.select_kernels",
    "recu_tf.models.select_recu_kernels",
    "recu_tf.models.with_recu",
)
NEED_SOURCE = [
    name for name in NAMES if name.path.split(".")[1] in SOURCED and name.path not in WITHOUT_SOURCE
]


def parametrize(names):
    return pytest.mark.parametrize("name", [pytest.param(name, id=name.path) for name in names])


def list_types(annotation: object) -> Iterator[object]:
    """The types that an annotation is made of."""
    parts = annotation if isinstance(annotation, list) else typing.get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from list_types(part)


def has_arrays(annotation: object) -> bool:
    return any(part in ARRAYS for part in list_types(annotation) if isinstance(part, type))


def has_numbers(annotation: object) -> bool:
    return any(part in (int, float) for part in list_types(annotation) if isinstance(part, type))


def read_parameters(name):
    """Each parameter with what the documentation says of it."""
    fields = dataclasses.fields(name.member) if dataclasses.is_dataclass(name.member) else ()
    # The fields of the settings say it on the command line.
    entries = {field.name: field.metadata.get("help", "") for field in fields}
    entries |= read_entries(name.doc)
    for parameter in inspect.signature(name.member).parameters.values():
        if parameter.name not in ("self", "cls"):
            yield parameter, entries.get(parameter.name, "")


@parametrize(NAMES + METHODS)
def test_public_names_say_what_they_take(name):
    lead = read_sections(name.doc)[""]
    assert lead.strip()
    if name.is_class and not dataclasses.is_dataclass(name.member):
        return
    missing = [
        parameter.name
        for parameter, entry in read_parameters(name)
        if not entry and not re.search(rf"\b{parameter.name}\b", lead)
    ]
    assert missing == []


@parametrize(NAMES + METHODS)
def test_public_names_give_shapes(name):
    lead = read_sections(name.doc)[""]
    if name.is_class and issubclass(name.member, tf.keras.layers.Layer):
        assert SHAPE.search(lead)
        return
    missing = [
        parameter.name
        for parameter, entry in read_parameters(name)
        if has_arrays(parameter.annotation) and not SHAPE.search(entry or lead)
    ]
    assert missing == []
    if not name.is_class and has_arrays(inspect.signature(name.member).return_annotation):
        assert SHAPE.search(read_sections(name.doc).get("Returns", lead))


@parametrize(NAMES + METHODS)
def test_public_names_give_units_or_limits_of_numbers(name):
    lead = read_sections(name.doc)[""]
    missing = [
        parameter.name
        for parameter, entry in read_parameters(name)
        if has_numbers(parameter.annotation)
        and not UNIT.search(f"{parameter.name.replace('_', ' ')}: {entry or lead}")
    ]
    assert missing == []


def is_named(error: str, text: str) -> bool:
    """Whether a text names an error, or a wider one, as OSError is of FileNotFoundError."""
    classes = getattr(builtins, error).__mro__[:-3] if hasattr(builtins, error) else ()
    return any(re.search(rf"\b{name}\b", text) for name in (error, *(c.__name__ for c in classes)))


@parametrize(NAMES + METHODS)
def test_public_names_say_which_errors_they_raise(name):
    section = read_sections(name.doc).get("Raises", "")
    assert sorted(error for error in list_errors(name) if not is_named(error, section)) == []


@parametrize(NEED_SOURCE)
def test_public_names_say_where_they_come_from(name):
    """Themselves, or by naming a function beside them that does."""
    module = next(module for module in MODULES if name.path.rpartition(".")[0] == module.__name__)
    siblings = [
        other for other in list_names(module) if f"`{other.path.split('.')[-1]}`" in name.doc
    ]
    assert any(SOURCE.search(other.doc) for other in (name, *siblings))
