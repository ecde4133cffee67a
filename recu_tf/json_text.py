"""Parses JSON from untrusted files, within bounds that real files do not reach."""

import json

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse"]

# A layer of a Keras model is nested 8 levels deep, and 5 more with each model around it.
MAX_DEPTH = 200
# The configuration of a network with 500 layers takes half a million characters.
MAX_LENGTH = 2**25


def parse(text: str | bytes) -> object:
    """Parses JSON, shallow enough for any recursive function to work on the result.

    Args:
        text: a document; bytes in UTF-8.

    Returns:
        Its content: dictionaries, lists, strings, numbers, bools and None.

    Raises:
        ValueError: the text is not JSON, longer than `MAX_LENGTH`, or nested deeper than
            `MAX_DEPTH`.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"its JSON is longer than {MAX_LENGTH:,} characters")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _list_children(outer)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP = f"its JSON is nested deeper than {MAX_DEPTH} levels"


def _list_children(value: object) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
