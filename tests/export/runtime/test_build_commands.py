import os
import re
import subprocess
import sys
import tarfile

import pytest
from runtime_clone import TREE, copy_runtime

import recu_tf
from export import runtime

pytest.importorskip("setuptools")
# Without what only builds it, and the script of an exported folder.
MODULES = {path.name for path in (TREE / "export/runtime").glob("*.py")} - {
    "build_commands.py",
    "predict.py",
    "setup.py",
}


@pytest.fixture
def clone(tmp_path):
    """The runtime's folder in a clone."""
    return copy_runtime(tmp_path / "clone")


def run(*arguments, cwd, **variables):
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def set_up(folder, *arguments, **variables):
    result = run("setup.py", "--quiet", *arguments, cwd=folder, **variables)
    assert result.returncode == 0, result.stderr
    return result


def list_files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_runtime_has_its_modules_and_sources_and_nothing_else(clone, tmp_path):
    set_up(clone, "build_py", "--build-lib", tmp_path / "lib")
    sources = {f"source/{path.name}" for path in (TREE / "export/runtime/source").iterdir()}
    assert list_files(tmp_path / "lib") == {f"recu_runtime/{name}" for name in MODULES | sources}


def test_runtime_is_imported_without_tensorflow_and_the_project(clone, tmp_path):
    set_up(clone, "build_py", "--build-lib", tmp_path)
    code = "import recu_runtime, sys; print(recu_runtime.__version__, *sys.modules)"
    result = run("-c", code, cwd="/", PYTHONPATH=str(tmp_path))
    version, *loaded = result.stdout.split()
    assert version == recu_tf.__version__ == runtime.__version__, result.stderr
    assert not {"tensorflow", "larq", "numpy", "recu_tf", "export"} & set(loaded)


def test_whole_project_has_the_script_of_the_folders_but_no_set_up(tmp_path):
    set_up(TREE, "build_py", "--build-lib", tmp_path)
    names = {path.name for path in (tmp_path / "export/runtime").glob("*.py")}
    assert names == MODULES | {"predict.py"}
    # Of the same name as the set-up, in another package.
    assert (tmp_path / "recu_tf/training/setup.py").exists()


def test_source_distribution_of_the_runtime_can_be_built(clone, tmp_path):
    set_up(clone, "sdist", "--dist-dir", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("recu_runtime-*/")
    assert (folder / "LICENSE").read_text("utf-8") == (TREE / "LICENSE").read_text("utf-8")
    set_up(folder, "build_py", "--build-lib", tmp_path / "lib")
    set_up(clone, "build_py", "--build-lib", tmp_path / "expected")
    assert list_files(tmp_path / "lib") == list_files(tmp_path / "expected")


NO_COMPILER = "the environment variable CXX names /nonexistent, which was not found"


def test_runtime_is_refused_without_a_compiler(clone, tmp_path):
    arguments = ("setup.py", "--quiet", "build_ext", "--build-lib", tmp_path / "lib")
    result = run(*arguments, cwd=clone, CXX="/nonexistent")
    assert result.returncode == 1
    message = result.stderr.splitlines()[-1]
    assert re.fullmatch(f"error: the delegate was not compiled: {NO_COMPILER}", message)
    assert not list(tmp_path.glob("lib/**/*.so"))


def test_whole_project_is_built_without_a_compiler(tmp_path):
    result = set_up(TREE, "build_ext", "--build-lib", tmp_path / "lib", CXX="/nonexistent")
    assert re.search(NO_COMPILER, result.stdout + result.stderr)
    assert not list(tmp_path.glob("lib/**/*.so"))


def test_runtime_requires_no_tensorflow(clone):
    set_up(clone, "egg_info")
    requires = (clone / "recu_runtime.egg-info/requires.txt").read_text("utf-8").split()
    assert {re.match(r"[\w-]+", line)[0] for line in requires} == {"ai-edge-litert", "numpy"}
