import json

import pytest

from recu_tf import json_text
from recu_tf.json_text import MAX_DEPTH, parse


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, true, {"b": "c"}]}', b"[]", "3", '"x"'])
def test_documents_are_read(text):
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(start, end):
    value = parse(start * MAX_DEPTH + "1" + end * MAX_DEPTH)
    for _ in range(MAX_DEPTH):
        (value,) = value.values() if isinstance(value, dict) else value
    assert value == 1
    # The last two: what recursion over it would fail on, and what reading it fails on.
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested deeper than 200 levels"):
            parse(start * depth + "1" + end * depth)


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(json_text, "MAX_LENGTH", 10)
    assert parse("[" + " " * 8 + "]") == []
    with pytest.raises(ValueError, match="longer than 10 characters"):
        parse("[" + " " * 9 + "]")
