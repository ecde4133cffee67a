import os
import subprocess
import sys

import pytest


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
