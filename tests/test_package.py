import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]


def run(*arguments, **options):
    """Runs Python with the arguments, and returns the finished process with its output."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def environment(**variables):
    """The environment variables of this process with others, and no choice of Keras."""
    kept = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**kept, **variables}


def test_importing_the_library_is_enough_for_larq_to_know_the_quantizers():
    code = (
        "import recu_tf, larq\n"
        "layer = larq.layers.QuantDense(2, kernel_quantizer='recu')\n"
        "print(type(layer.kernel_quantizer).__name__)"
    )
    result = run("-c", code, env=environment())
    assert result.stdout == "ReCU\n", result.stderr


REFUSAL = (
    "recu_tf and Larq need legacy Keras",
    "set the environment variable TF_USE_LEGACY_KERAS=1",
)


def test_tensorflow_that_was_imported_first_with_keras_3_is_refused_with_the_remedy():
    # Before TensorFlow has loaded its Keras, and when a layer has been made with it.
    code = (
        "import tensorflow as tf\n"
        "for use_keras in (lambda: None, lambda: tf.keras.layers.Dense(1)):\n"
        "    use_keras()\n"
        "    try:\n"
        "        import recu_tf\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    result = run("-c", code, env=environment())
    messages = result.stdout.splitlines()
    assert len(messages) == 2, result.stderr
    for message in messages:
        assert [words for words in REFUSAL if words not in message] == []


def test_keras_3_that_the_environment_asks_for_is_refused_with_the_remedy():
    result = run("-c", "import recu_tf", env=environment(TF_USE_LEGACY_KERAS="0"))
    assert result.returncode == 1
    assert [words for words in REFUSAL if words not in result.stderr] == []


def test_tensorflow_may_come_first_when_legacy_keras_is_selected():
    """As conftest.py imports them, which saves a process of its own."""
    imported = list(sys.modules)
    assert imported.index("tensorflow") < imported.index("recu_tf")


def test_version_is_the_same_everywhere():
    sources = ("recu_tf/__init__.py", "export/runtime/__init__.py")
    line = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
    versions = {line.search((TREE / name).read_text("utf-8"))[1] for name in sources}
    changes = (TREE / "CHANGELOG.md").read_text("utf-8")
    assert {re.search(r"^## (\S+)", changes, re.MULTILINE)[1]} == versions
    for name in ("setup.py", "export/runtime/setup.py"):
        assert not re.search(r'version="', (TREE / name).read_text("utf-8"))


def test_versions_that_are_tested_are_the_oldest_and_the_newest_that_may_be_installed():
    requirements = (TREE / "setup.py").read_text("utf-8")
    oldest, newest = re.search(r"^VERSIONS := (\S+) (\S+)$", makefile(), re.MULTILINE).groups()
    major, minor = newest.split(".")
    for package in ("tensorflow", "tf-keras"):
        assert f'"{package}>={oldest},<{major}.{int(minor) + 1}"' in requirements


def test_tests_that_are_run_with_other_versions_exist():
    paths = re.search(r"^VERSION_TESTS := ((?:.*\\\n)*.*)", makefile(), re.MULTILINE)[1]
    paths = paths.replace("\\\n", " ").split()
    assert len(paths) > 1
    assert [path for path in paths if not (TREE / path).exists()] == []


def makefile():
    return (TREE / "Makefile").read_text("utf-8")


def test_editable_install_wins_where_the_clone_has_the_package_s_name(tmp_path):
    pytest.importorskip("setuptools")
    clone = tmp_path / "folder" / "recu_tf"
    files = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "recu_tf/__init__.py")
    scripts = ("build_commands.py", "compile_delegate.py")
    for name in (*files, *(f"export/runtime/{script}" for script in scripts)):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / name, clone / name)
    # The call that `pip install -e .` makes; pip then unpacks the wheel.
    build = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    built = run("-c", build, tmp_path, cwd=clone)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import importlib.util, site, sys; site.addsitedir(sys.argv[1]); "
        "print(importlib.util.find_spec('recu_tf').origin)"
    )
    # -S leaves out the packages of this environment, where recu_tf may be installed as well.
    without_path = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = run("-S", "-c", code, tmp_path / "installed", cwd=clone.parent, env=without_path)
    assert found.stdout.strip() == str(clone / "recu_tf" / "__init__.py"), found.stderr


def test_installed_packages_have_their_templates_and_weights(tmp_path):
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    built = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    packages = ("recu_tf", "experiments", "export")
    templates = {
        path.relative_to(TREE) for name in packages for path in TREE.glob(f"{name}/**/templates/*")
    }
    assert len({path.parent for path in templates}) == 3
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("templates/*")} == templates
    weights = {path.name for path in (TREE / "recu_tf/weights").iterdir()}
    assert {path.name for path in (tmp_path / "recu_tf/weights").iterdir()} == weights
    library = {path.name for path in (TREE / "recu_tf/vendored/uplot").iterdir()}
    assert {"LICENSE", "VERSION", "uPlot.iife.min.js"} <= library
    assert {path.name for path in (tmp_path / "recu_tf/vendored/uplot").iterdir()} == library
    assert [path.name for path in (tmp_path / "experiments").rglob("*.png")] == ["photographs.png"]


def test_workflow_runs_what_has_to_pass_before_a_change_lands():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra docs brings along")
    workflow = yaml.safe_load((TREE / ".github/workflows/check.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    script = TREE / ".ci/run"
    assert job["steps"][-1]["run"] == ".ci/run"
    assert os.access(script, os.X_OK)
    assert script.read_text("utf-8").endswith("\nmake check\n")
    assert re.search(r"^check: lint test-all$", makefile(), re.MULTILINE)
    # What the script would install; the machine has Google Chrome.
    (packages,) = [step["run"] for step in job["steps"] if "apt-get install" in step.get("run", "")]
    wanted = set(re.findall(r"missing\+=\((\S+)\)", script.read_text("utf-8")))
    assert wanted - set(packages.split()) == {"chromium"}


def test_export_refuses_a_numpy_that_its_converter_fails_with():
    pytest.importorskip("larq_compute_engine", reason="needs the extra export")
    code = "import numpy, recu_tf; numpy.__version__ = '2.4.6'\nimport export"
    result = run("-c", code, env=environment())
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "ImportError: The export needs NumPy below 2, as larq-compute-engine does, got 2.4.6: "
        "pip install 'recu_tf[export]'"
    )
