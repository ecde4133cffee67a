import re
import shlex
from pathlib import Path

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from conftest import need
from PIL import Image
from predictions import program

import export
import recu_tf
from experiments.commands.parser import command_parser
from recu_tf.pytorch.tensor_names import list_tensors

TREE = Path(__file__).parents[1]
# Without hidden folders, such as virtual environments.
PAGES = sorted(
    path
    for path in TREE.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(TREE).parts)
)
PRETRAINED = (TREE / "recu_tf" / "PRETRAINED.md").read_text("utf-8")
MIGRATION = (TREE / "recu_tf" / "MIGRATION.md").read_text("utf-8")
OWN_MODEL = (TREE / "recu_tf" / "YOUR_OWN_MODEL.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("few_measurements")
def test_example_model_is_exported_as_good_as_it_was_trained(tmp_path, monkeypatch, capsys):
    """As a user sees it: by the program in the exported folder, given image files."""
    names = {"export": export}
    code = re.search(r"```python\n(.*?)```", OWN_MODEL, re.DOTALL)[1]
    exec(code, names)
    history = names["model"].history.history
    assert len(history["tau"]) == 20
    monkeypatch.chdir(tmp_path)
    report = eval(re.search(r"`(export\.export_bundle\(.*?\))`", OWN_MODEL)[1], names)
    assert report.audit.passed
    pixels, labels = recu_tf.data.load("digits", "test", normalized=False)
    paths = [f"{number}.png" for number in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    capsys.readouterr()
    assert program(tmp_path / "my_export").main([*paths, "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=True))
    right = [found[path].endswith(f"%  {label}") for path, label in zip(paths, labels, strict=True)]
    _, accuracy = names["model"].evaluate(*recu_tf.data.load("digits", "test"), verbose=0)
    assert accuracy > 0.8
    # Rounding may turn a sign in an image on the border between two classes.
    assert np.mean(right) == pytest.approx(accuracy, abs=2 / len(paths))
    # New images are a little worse than those that it was trained on.
    assert np.mean(right) > history["accuracy"][-1] - 0.1


def run_examples(heading):
    """Runs the Python code below a heading of the page; returns the names that it defines."""
    names = {"recu_tf": recu_tf, "lq": lq, "tf": tf}
    section = OWN_MODEL.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(code, names)
    return names


def test_example_of_a_converted_model_has_recu():
    names = run_examples("ReCU in a model that you have")
    for model, count in (("old", 0), ("model", 3), ("with_binary_logits_as_before", 2)):
        quantizers = [getattr(layer, "kernel_quantizer", None) for layer in names[model].layers]
        assert sum(isinstance(part, recu_tf.quantizers.ReCU) for part in quantizers) == count


@pytest.mark.slow
def test_example_of_a_plain_model_becomes_binary_and_learns():
    names = run_examples("From a plain Keras model")
    layers = names["network"].layers
    binary = {layer.name for layer in layers if hasattr(layer, "kernel_quantizer")}
    assert binary == {"second", "third"}
    # What guessing one of ten classes costs.
    assert names["network"].history.history["loss"][-1] < np.log(10)


@pytest.mark.slow
def test_example_of_own_images_leaves_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_examples("Your own training data, any Keras model")
    assert names["run"].chosen_on == "validation images"
    assert names["network"].output_shape == (None, 10)
    losses = [line["loss"] for line in names["run"].metrics()]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_example_of_larq_zoo_gives_probabilities():
    need("larq_zoo")
    network = run_examples("Networks of larq-zoo")["network"]
    probabilities = network(np.zeros((1, 64, 64, 3), "float32"))
    # Ten float32 numbers.
    assert np.sum(probabilities) == pytest.approx(1, abs=1e-6)


def test_page_of_the_pretrained_networks_says_what_the_index_says(capsys):
    for name, entry in recu_tf.pretrained.list_all().items():
        (row,) = [line for line in PRETRAINED.splitlines() if line.startswith(f"| `{name}` |")]
        facts = (f"`{entry.model}`", f"{100 * entry.top_1:.2f} %", f"`{entry.command}`")
        assert [fact for fact in facts if fact not in row] == []
        assert f" {entry.test_images:,} test images of " in row
    for code in re.findall(r"```python\n(.*?)```", PRETRAINED, re.DOTALL):
        exec(code, {})
    measured, packed = re.findall(r"([\d.]+)%", capsys.readouterr().out)
    # Other processors sum in another order, and an image on the border may fall to the other side.
    assert float(measured) == pytest.approx(float(packed), abs=100 * 2 / 360)


def test_page_of_the_names_has_tensors_of_the_networks():
    names = set()
    for model, dataset in (("resnet20_1w1a", "cifar10"), ("two_stage_resnet18_1w1a", "imagenet")):
        network = recu_tf.models.build(model, dataset, num_classes=10)
        names |= {tensor.name for tensor in list_tensors(network)}
    section = MIGRATION.split("\n## Every name\n")[1].split("\n\n| what the published")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    stated = {name for row in rows for name in re.findall(r"`([\w.]+\.[\w.]+)`", row)}
    assert len(stated) > 9
    assert stated - names == set()


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


def test_files_that_contributors_are_sent_to_exist():
    text = (TREE / "CONTRIBUTING.md").read_text("utf-8")
    packages = ("recu_tf", "export", "experiments")
    known = {path.name for name in (*packages, "tests") for path in (TREE / name).rglob("*.*")}
    files = set(re.findall(r"`([\w/]+\.(?:py|cc|h|md|txt))`", text))
    assert len(files) > 30
    assert [file for file in files if not (TREE / file).exists() and file not in known] == []
    # And each folder with code is in the table.
    folders = [path.parent for name in packages for path in (TREE / name).glob("*/__init__.py")]
    named = set(re.findall(r"[`/](\w+)`", text))
    assert [folder.name for folder in folders if folder.name not in named] == []
