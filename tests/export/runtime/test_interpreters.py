"""Which interpreter `predict.py` runs the network in."""

import json
import sys

import pytest
from delegates import needs_delegate
from predictions import (
    DELEGATE,
    ENGINE,
    keras_probabilities,
    printed_probabilities,
    program,
    save_pictures,
    share_alike,
)

from export import runtime
from export.runtime import external_delegate, predict


def hide(monkeypatch, *names):
    """Makes these modules, and others in them, ones that cannot be found."""
    for name in names:
        for module in {name, *(module for module in sys.modules if module.startswith(f"{name}."))}:
            monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture
def litert(monkeypatch, tmp_path):
    """A package with the names of LiteRT's, and TensorFlow Lite's interpreter in them."""
    hide(monkeypatch, "ai_edge_litert", "recu_runtime")
    for name in [name for name in sys.modules if name.startswith("ai_edge_litert")]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "packages" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "interpreter.py").write_text(
        "import tensorflow as tf\n"
        "Interpreter = tf.lite.Interpreter\n"
        "load_delegate = tf.lite.experimental.load_delegate\n"
    )
    monkeypatch.syspath_prepend(package.parent)


@needs_delegate
def test_delegate_gives_what_the_engine_gives(folder, tmp_path, capfd, litert):
    paths = [str(path) for path in save_pictures(tmp_path, 8)]
    got = {}
    for arguments, title in ((), DELEGATE), (("--interpreter", "engine"), ENGINE):
        assert program(folder).main([*paths, "--top", "10", *arguments]) == 0
        captured = capfd.readouterr()
        assert f"predict.py: {title} runs the network" in captured.err.splitlines()
        got[title] = printed_probabilities(captured.out)
    assert share_alike(got[DELEGATE], got[ENGINE]) >= 0.75
    assert share_alike(got[DELEGATE], keras_probabilities(paths)) >= 0.75


@needs_delegate
def test_lines_of_json_are_alone_on_standard_output(folder, tmp_path, capfd, litert):
    paths = save_pictures(tmp_path, 2)
    assert program(folder).main([*map(str, paths), "--json", "--threads", "2"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == list(map(str, paths))


@needs_delegate
@pytest.mark.parametrize(("name", "title"), [("delegate", DELEGATE), ("engine", ENGINE)])
def test_golden_sample_is_repeated_by_both(name, title, folder, capfd, litert):
    assert program(folder).main(["--self-test", "--interpreter", name]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("self-test passed: 4 of 4 runs within the tolerance (3 are enough)")
    assert line.endswith(f", {title}")


def refuse(*_):
    raise RuntimeError("node 3, LceBconv2d, cannot be run:\n unknown padding")


REASON = f"{DELEGATE} cannot run it: node 3, LceBconv2d, cannot be run: unknown padding"


def test_engine_runs_what_the_delegate_cannot(folder, tmp_path, capsys, litert, monkeypatch):
    monkeypatch.setattr(external_delegate, "load", refuse)
    monkeypatch.setattr(runtime, "load", refuse)
    (path,) = save_pictures(tmp_path, 1)
    assert program(folder).main([str(path)]) == 0
    assert capsys.readouterr().err == f"predict.py: {ENGINE} ({REASON}) runs the network\n"
    assert program(folder).main(["--self-test"]) == 0
    assert capsys.readouterr().out.endswith(f", {ENGINE} ({REASON})\n")
    assert program(folder).main(["--self-test", "--interpreter", "delegate"]) == 2
    assert capsys.readouterr().err.endswith(f"model.tflite cannot be run: {REASON}\n")


@pytest.mark.parametrize(
    "problem", [FileNotFoundError("there was no C++ compiler"), ValueError("wrong ELF class")]
)
def test_engine_runs_where_the_delegate_cannot_be_loaded(
    problem, folder, tmp_path, capsys, litert, monkeypatch
):
    def fail(*_):
        raise problem

    monkeypatch.setattr(runtime, "load", fail)
    assert program(folder).main(["--self-test"]) == 0
    assert capsys.readouterr().out.endswith(f"{ENGINE} ({DELEGATE} cannot run it: {problem})\n")


def test_delegate_that_cannot_run_alone_is_reported_with_the_way_to_the_engine(
    folder, capsys, litert, monkeypatch
):
    monkeypatch.setattr(runtime, "load", refuse)
    hide(monkeypatch, "larq_compute_engine")
    assert program(folder).main(["--self-test"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"model.tflite cannot be run: {REASON}; {ENGINE} is not installed" in error
    assert error.endswith(f": {predict.WITH_ENGINE}\n")


@pytest.mark.parametrize(
    "missing", [["ai_edge_litert"], ["recu_runtime", "export"]], ids=["LiteRT", "delegate"]
)
def test_engine_runs_where_the_delegate_is_not_installed(
    missing, folder, capsys, litert, monkeypatch
):
    script = program(folder)
    hide(monkeypatch, *missing)
    assert script.main(["--self-test"]) == 0
    assert capsys.readouterr().out.endswith(f", {ENGINE}\n")


@pytest.mark.parametrize("arguments", [(), ("--interpreter", "delegate")])
def test_missing_interpreters_are_reported_with_the_remedy(arguments, folder, capsys, monkeypatch):
    hide(monkeypatch, "ai_edge_litert", "larq_compute_engine")
    assert program(folder).main(["--self-test", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    commands = (predict.WITH_DELEGATE, *(() if arguments else (predict.WITH_ENGINE,)))
    assert [command for command in commands if f"): {command}" not in error] == []
