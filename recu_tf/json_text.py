"""JSON of anyone's, read within bounds: what real files hold, and no more."""

import json

__all__ = ["DEEPEST", "LONGEST", "parsed"]

# A layer of a Keras model stands 8 deep, and 5 deeper with each model around it.
DEEPEST = 200
# The configuration of a network with 500 layers takes half a million characters.
LONGEST = 2**25


def parsed(text: str | bytes) -> object:
    """Reads JSON that no recursion over it can fail on.

    Args:
        text: of one document; bytes in UTF-8.

    Returns:
        What it says: dictionaries, lists, texts, numbers, bools and None.

    Raises:
        ValueError: it is no JSON, longer than `LONGEST`, or nested deeper than `DEEPEST`.
    """
    if len(text) > LONGEST:
        raise ValueError(f"its JSON is longer than {LONGEST:,} characters")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level, depth = [value], 0
    while level := [inner for outer in level for inner in _within(outer)]:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP = f"its JSON is nested deeper than {DEEPEST} levels"


def _within(value: object) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
