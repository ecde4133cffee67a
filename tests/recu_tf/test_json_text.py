import json

import pytest

from recu_tf import json_text
from recu_tf.json_text import DEEPEST, parsed


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, null, true, {"b": "c"}]}', b"[]", "3", '"x"'])
def test_documents_are_read(text):
    assert parsed(text) == json.loads(text)


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(start, end):
    value = parsed(start * DEEPEST + "1" + end * DEEPEST)
    for _ in range(DEEPEST):
        (value,) = value.values() if isinstance(value, dict) else value
    assert value == 1
    # The last two: what recursion over it would fail on, and what reading it fails on.
    for depth in (DEEPEST + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested deeper than 200 levels"):
            parsed(start * depth + "1" + end * depth)


def test_length_is_bounded(monkeypatch):
    monkeypatch.setattr(json_text, "LONGEST", 10)
    assert parsed("[" + " " * 8 + "]") == []
    with pytest.raises(ValueError, match="longer than 10 characters"):
        parsed("[" + " " * 9 + "]")
