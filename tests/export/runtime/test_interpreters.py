"""Which interpreter `predict.py` runs the network in, and what it needs."""

import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from bundles import small_bundle
from delegates import needs_delegate
from predictions import (
    keras_probabilities,
    printed_probabilities,
    program,
    save_pictures,
    share_alike,
)

from export import runtime
from export.bundle.writer import write
from export.runtime import compile_delegate, external_delegate, predict

TREE = Path(__file__).parents[3]
DELEGATE = "LiteRT with the delegate"
ENGINE = "Larq Compute Engine"


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "export", small_bundle())
    return tmp_path / "export"


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


@pytest.mark.parametrize("package", ["numpy", "PIL"])
def test_missing_package_is_reported_with_the_command(package, folder):
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv = ['predict.py', 'x.png']; "
        f"runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == f"predict.py: error: {package} is missing: {predict.INSTALL}\n"


@pytest.mark.parametrize("command", [predict.WITH_DELEGATE, predict.WITH_ENGINE])
def test_commands_stand_in_the_first_lines(command):
    assert f"\n    {command}\n" in predict.__doc__
    assert command in predict.INSTALL


OTHERS = ("tensorflow", "tf_keras", "keras", "larq", "recu_tf")


def test_tensorflow_and_this_project_are_not_loaded(folder, tmp_path):
    (path,) = save_pictures(tmp_path, 1)
    code = (
        f"import runpy, sys; sys.argv = ['predict.py', {str(path)!r}, '--interpreter', 'engine']\n"
        "try:\n"
        f"    runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "print(code, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    code, *loaded = result.stdout.splitlines()[-1].split()
    assert code == "0", result.stderr
    assert "larq_compute_engine" in loaded
    assert not {*OTHERS, "export"} & set(loaded)


def test_delegate_of_the_whole_project_is_loaded_without_the_rest(folder):
    code = (
        "import runpy, sys\n"
        f"predict = runpy.run_path({str(folder / 'predict.py')!r})\n"
        "print(predict['import_alone']('export.runtime').load.__module__, *sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=TREE, capture_output=True, text=True, check=False
    )
    module, *loaded = result.stdout.split()
    assert module == "export.runtime.external_delegate", result.stderr
    assert not {*OTHERS, "larq_compute_engine"} & set(loaded)


def build_wheel(directory):
    """The runtime's wheel, built as `make wheel` builds it."""
    try:
        compile_delegate.find_compiler()
    except FileNotFoundError:
        pytest.skip("needs a C++ compiler")
    built = shutil.ignore_patterns("build", "*.egg-info", "*.so", "__pycache__")
    shutil.copytree(TREE / "export/runtime", directory / "export/runtime", ignore=built)
    shutil.copy(TREE / "LICENSE", directory)
    pip("wheel", "--no-deps", f"--wheel-dir={directory}", directory / "export/runtime")
    (wheel,) = directory.glob("*.whl")
    assert re.fullmatch(r"recu_runtime-[\d.]+-py3-none-linux_\w+\.whl", wheel.name)
    return wheel


def pip(*arguments, python=sys.executable):
    """Runs pip, and skips the test where it has no index."""
    command = [python, "-m", "pip", *map(str, arguments), "--disable-pip-version-check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if "Temporary failure in name resolution" in result.stderr:
        pytest.skip("needs pip's index")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "title"), [(predict.WITH_DELEGATE, DELEGATE), (predict.WITH_ENGINE, ENGINE)]
)
def test_fresh_environment_with_the_stated_packages_is_enough(
    command, title, folder, tmp_path, capsys
):
    """What the first lines of the script say, from pip; no TensorFlow and not this project."""
    packages = re.findall(r'[^\s"]+', command.removeprefix("pip install"))
    if title == DELEGATE:
        packages[0] = build_wheel(tmp_path / "clone")
    venv.create(tmp_path / "fresh", with_pip=True)
    python = str(tmp_path / "fresh" / "bin" / "python")
    pip("install", "--quiet", *packages, python=python)

    def fresh(*arguments):
        # Not what the shell's own settings would add.
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(
            [python, *arguments], cwd="/", env=environment, capture_output=True, text=True
        )

    paths = [str(path) for path in save_pictures(tmp_path, 8)]
    result = fresh(str(folder / "predict.py"), *paths, "--top", "10")
    assert result.returncode == 0, result.stderr
    assert f"predict.py: {title} runs the network" in result.stderr.splitlines()
    got, expected = printed_probabilities(result.stdout), keras_probabilities(paths)
    assert share_alike(got, expected) >= 0.75
    assert program(folder).main([*paths, "--top", "10", "--interpreter", "engine"]) == 0
    by_engine = printed_probabilities(capsys.readouterr().out)
    assert np.mean(got.argmax(axis=1) == by_engine.argmax(axis=1)) >= 0.75
    tested = fresh(str(folder / "predict.py"), "--self-test")
    assert tested.returncode == 0, tested.stderr
    assert tested.stdout.endswith(f", {title}\n")
    for name in (*OTHERS, "export", "ai_edge_litert" if title == ENGINE else "larq_compute_engine"):
        assert f"No module named '{name}'" in fresh("-c", f"import {name}").stderr
