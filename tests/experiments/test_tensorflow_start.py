import os
import subprocess
import sys

import pytest

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
PROGRAM = f"""
import os, sys
import experiments.speedrun
print(os.environ["{VARIABLE}"], "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("given", "expected"), [({}, "1"), ({VARIABLE: "0"}, "0")], ids=["by default", "off"]
)
def test_trainings_have_the_kernels_of_onednn_unless_the_environment_says_no(given, expected):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, **given},
    )
    assert process.stdout.split() == [expected, "True"]
    assert process.stderr == ""
