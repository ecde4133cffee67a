import inspect
import re
from pathlib import Path

import pytest

import export
import recu_tf

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_readme_example_trains_and_exports():
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    names = {}
    exec(example.replace("epochs=20", "epochs=1"), names)
    assert len(names["model"].history.history["tau"]) == 1
    assert export.audit(export.convert(names["model"]), names["model"]).passed


def public_objects():
    for module in (*(getattr(recu_tf, name) for name in recu_tf.__all__), export):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield pytest.param(thing, id=f"{module.__name__}.{name}")


@pytest.mark.parametrize("thing", list(public_objects()))
def test_public_names_are_documented(thing):
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        missing = [
            name
            for name in inspect.signature(thing).parameters
            if not re.search(rf"\b{name}\b", inspect.getdoc(thing))
        ]
        assert not missing
