import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import export
import recu_tf
from experiments.commands.parser import command_parser

TREE = Path(__file__).parents[1]
PAGES = sorted(path for path in TREE.rglob("*.md") if ".venv" not in path.parts)
OWN_MODEL = (TREE / "recu_tf" / "YOUR_OWN_MODEL.md").read_text("utf-8")


def program_of(folder):
    """The copy of `predict.py` in a folder, as a module."""
    spec = importlib.util.spec_from_file_location("copied_predict", folder / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("epochs", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_example_model_is_exported_as_good_as_it_was_trained(epochs, tmp_path, monkeypatch, capsys):
    """By what a user has in the end: the program in the folder, on images in files."""
    names = {"export": export}
    code = re.search(r"```python\n(.*?)```", OWN_MODEL, re.DOTALL)[1]
    exec(code.replace("epochs=20", f"epochs={epochs}"), names)
    history = names["model"].history.history
    assert len(history["tau"]) == epochs
    monkeypatch.chdir(tmp_path)
    report = eval(re.search(r"`(export\.export_bundle\(.*?\))`", OWN_MODEL)[1], names)
    assert report.audit.passed
    pixels, labels = recu_tf.data.load("digits", "test", normalized=False)
    paths = [f"{number}.png" for number in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    capsys.readouterr()
    assert program_of(tmp_path / "my_export").main([*paths, "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=True))
    right = [found[path].endswith(f"%  {label}") for path, label in zip(paths, labels, strict=True)]
    _, accuracy = names["model"].evaluate(*recu_tf.data.load("digits", "test"), verbose=0)
    assert accuracy > 0.8
    # Rounding may turn a sign in an image on the border between two classes.
    assert np.mean(right) == pytest.approx(accuracy, abs=2 / len(paths))
    # New images are a little worse than those that it was trained on.
    assert np.mean(right) > history["accuracy"][-1] - 0.1


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_links_of_the_documentation_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def documented_commands():
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("recu ") and "..." not in line:
                    yield pytest.param(line, id=line.split("#")[0].strip())


@pytest.mark.parametrize("line", list(documented_commands()))
def test_documented_commands_are_understood(line):
    """Parsed only: the files that they name are the reader's."""
    command_parser().parse_args(shlex.split(line, comments=True)[1:])
