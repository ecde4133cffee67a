"""Every public name is in an example of its module's docstrings, and the examples run."""

import ast
import dataclasses
import doctest
import inspect
import re
import typing
from collections.abc import Iterator

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from delegates import need_delegate
from public_names import MODULES, PublicName, is_ours, list_methods, list_names, list_others

import export
import recu_tf

# What the reference says that its examples begin with.
GIVEN = {"np": np, "tf": tf, "lq": lq, "recu_tf": recu_tf, "export": export}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SLOW = ("export", "recu_tf.models", "recu_tf.models.zoo", "recu_tf.pytorch", "recu_tf.training")
NEEDED = {"recu_tf.models.zoo": "larq_zoo", "recu_tf.pytorch": "torch"}


def find_examples(module) -> list[doctest.DocTest]:
    names = list_names(module)
    pages = {module.__name__: inspect.getdoc(module)}
    pages |= {name.path: name.doc for name in names}
    pages |= {name.path: name.doc for owner in names for name in list_methods(owner)}
    parser = doctest.DocTestParser()
    tests = [
        parser.get_doctest(doc, dict(GIVEN), path, module.__name__, 0)
        for path, doc in pages.items()
    ]
    return [test for test in tests if test.examples]


def list_classes(annotation: object) -> Iterator[type]:
    """The classes of the project that an annotation is made of."""
    if inspect.isclass(annotation) and is_ours(annotation):
        yield annotation
    for part in typing.get_args(annotation):
        yield from list_classes(part)


def list_given(name: PublicName) -> Iterator[type]:
    """The classes of what a function returns, or of what the fields of a class hold."""
    if not name.is_class and callable(name.member):
        yield from list_classes(inspect.signature(name.member).return_annotation)
    elif dataclasses.is_dataclass(name.member):
        for field in dataclasses.fields(name.member):
            yield from list_classes(field.type)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_in_an_example(module):
    """By its whole path; or an example has the function, or the object, that gives one of it."""
    code = "".join(example.source for test in find_examples(module) for example in test.examples)
    ast.parse(code)
    names = list_names(module)
    shown = [name for name in names if re.search(rf"\b{re.escape(name.path)}\b", code)]
    for name in shown:  # grows
        given = set(list_given(name))
        shown += [other for other in names if other.member in given and other not in shown]
    assert [name.path for name in names if name not in shown] == []
    others = list_others(module)
    assert [path for path in others if not re.search(rf"\b{re.escape(path)}\b", code)] == []
    methods = [method.path for name in names for method in list_methods(name)]
    called = {*re.findall(r"\.(\w+)\(", code)}
    assert [path for path in methods if path.rpartition(".")[2] not in called] == []


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(
            module,
            id=module.__name__,
            marks=[pytest.mark.slow] if module.__name__ in SLOW else [],
        )
        for module in MODULES
    ],
)
def test_examples_of_a_module_print_what_they_say(module, tmp_path, monkeypatch):
    if module.__name__ in NEEDED:
        pytest.importorskip(NEEDED[module.__name__], reason="its examples need it")
    if module is export.runtime:
        need_delegate()
    monkeypatch.chdir(tmp_path)
    printed = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    for test in find_examples(module):
        runner.run(test, out=printed.append)
    assert not printed, "".join(printed)
