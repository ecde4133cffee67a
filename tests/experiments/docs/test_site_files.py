import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import experiments

pytest.importorskip("mkdocs", reason="needs MkDocs, the extra docs")

TREE = Path(experiments.__file__).parents[1]


@pytest.mark.slow
def test_site_has_every_page_and_no_broken_link(tmp_path):
    """Strict: MkDocs and the check of the built site fail for anything that leads nowhere."""
    command = f"-m mkdocs build -f experiments/docs/mkdocs.yml --site-dir {tmp_path}"
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=TREE,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TREE), "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    quantizers = (tmp_path / "api" / "recu_tf.quantizers.html").read_text("utf-8")
    assert "StandardizedSteSign" in quantizers
    # A formula of a docstring.
    assert re.search(r"<math.*?<mi>q</mi>", quantizers, re.DOTALL)
    delegate = (tmp_path / "export" / "FROM_CHECKPOINT_TO_PHONE.html").read_text("utf-8")
    assert "source/export/runtime/source/recu_delegate.h.html" in delegate
