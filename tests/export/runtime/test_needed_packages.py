"""Which packages `predict.py` needs, and that they are enough."""

import re
import subprocess
import sys
import venv

import numpy as np
import pytest
from predictions import (
    DELEGATE,
    ENGINE,
    keras_probabilities,
    printed_probabilities,
    program,
    save_pictures,
    share_alike,
)
from programs import need_compiler
from runtime_clone import TREE, copy_runtime

from export.runtime import predict


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
    need_compiler()
    folder = copy_runtime(directory)
    pip("wheel", "--no-deps", f"--wheel-dir={directory}", folder)
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
