import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TREE = Path(__file__).parents[1]


def run(code, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_the_library_is_enough_for_larq_to_know_the_quantizers():
    result = run(
        "import recu_tf, larq\n"
        "layer = larq.layers.QuantDense(2, kernel_quantizer='recu')\n"
        "print(type(layer.kernel_quantizer).__name__)"
    )
    assert result.stdout == "ReCU\n", result.stderr


@pytest.mark.parametrize(
    ("code", "environment"),
    [
        ("import tensorflow, recu_tf", {}),
        ("import tensorflow as tf; tf.keras.layers.Dense(1); import recu_tf", {}),
        ("import recu_tf", {"TF_USE_LEGACY_KERAS": "0"}),
    ],
)
def test_keras_3_is_refused_with_the_remedy(code, environment):
    result = run(code, **environment)
    assert result.returncode == 1
    assert "ImportError: recu_tf and Larq need legacy Keras" in result.stderr
    assert "set the environment variable TF_USE_LEGACY_KERAS=1" in result.stderr


def test_tensorflow_may_come_first_when_legacy_keras_is_selected():
    result = run("import tensorflow, recu_tf", TF_USE_LEGACY_KERAS="1")
    assert result.returncode == 0, result.stderr


def test_editable_install_wins_where_the_clone_has_the_package_s_name(tmp_path):
    pytest.importorskip("setuptools")
    clone = tmp_path / "folder" / "recu_tf"
    (clone / "recu_tf").mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "recu_tf/__init__.py"):
        shutil.copy(TREE / name, clone / name)
    # What pip asks of setuptools for `pip install -e .`, and then unpacks.
    build = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"
    built = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import importlib.util, site, sys; site.addsitedir(sys.argv[1]); "
        "print(importlib.util.find_spec('recu_tf').origin)"
    )
    # Without the packages of this environment, among which recu_tf may be installed.
    found = subprocess.run(
        [sys.executable, "-S", "-c", code, str(tmp_path / "installed")],
        cwd=clone.parent,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.strip() == str(clone / "recu_tf" / "__init__.py"), found.stderr
