"""The errors that a function raises, as its code shows them."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator

from public_names import PublicName, is_ours

# Where a class checks what it is given.
CHECKING = ("__init__", "__post_init__", "build", "call")


def _parse(function: Callable) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _list_raised(function: Callable) -> Iterator[str]:
    for node in ast.walk(_parse(function)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = ast.unparse(error).split(".")[-1]
            if name[0].isupper():  # otherwise it is a variable, of an error raised elsewhere
                yield name


def _find_called(node: ast.expr, function: Callable, owner: type | None) -> object:
    """The object that an expression of a function's code stands for, where that is plain."""
    names = function.__globals__
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
        return None
    holder = owner if node.value.id in ("self", "cls") else names.get(node.value.id)
    return getattr(holder, node.attr, None)


def _list_functions(name: PublicName) -> list[tuple[Callable, type | None]]:
    member = name.member
    if inspect.isfunction(member):
        return [(member, None)]
    if inspect.ismethod(member):
        return [(member.__func__, member.__self__)]
    if not name.is_class:
        return [(type(member).__call__, type(member))]
    found = [vars(member)[key] for key in CHECKING if key in vars(member)]
    # A dataclass' own __init__ has no source.
    return [(part, member) for part in found if part.__code__.co_filename != "<string>"]


def list_errors(name: PublicName) -> set[str]:
    """Names of the errors that it raises, or that functions of the project raise that it calls."""
    errors = set()
    for function, owner in _list_functions(name):
        function = inspect.unwrap(function)
        errors |= set(_list_raised(function))
        for node in ast.walk(_parse(function)):
            called = _find_called(node.func, function, owner) if isinstance(node, ast.Call) else 0
            called = inspect.unwrap(called) if callable(called) else called
            if inspect.isroutine(called) and is_ours(called):
                errors |= set(_list_raised(called))
    return errors
