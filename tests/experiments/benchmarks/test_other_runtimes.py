import subprocess
import sys

import numpy as np
import pytest
from conftest import tiny_resnet

import export
from experiments.benchmarks import other_runtimes
from experiments.benchmarks.other_runtimes import (
    ONNX,
    OPENVINO,
    convert_to_onnx,
    find_missing_packages,
    make_onnx_runner,
    make_openvino_runner,
)
from export.conversion.baselines import remove_quantizers


def need(name):
    missing = find_missing_packages()
    if name in missing:
        pytest.skip(missing[name])


def draw_image(model):
    """What the runners draw."""
    shape = (1, *model.input_shape[1:])
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def test_what_is_not_installed_is_named(monkeypatch):
    def find(name):
        return None if name == "tf2onnx" else object()

    monkeypatch.setattr(other_runtimes.importlib.util, "find_spec", find)
    assert find_missing_packages() == {ONNX: "tf2onnx not installed (the extra bench)"}


@pytest.mark.slow  # a conversion
def test_onnx_runtime_computes_what_the_float_network_does():
    need(ONNX)
    model = tiny_resnet((8, 8, 3), 4)
    expected = remove_quantizers(model)(draw_image(model)).numpy()
    (found,) = make_onnx_runner(convert_to_onnx(model), 1)()
    # The same sums in another order.
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow  # a conversion
@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_computes_what_the_float_network_does(threads):
    need(OPENVINO)
    model = tiny_resnet((8, 8, 3), 4)
    expected = remove_quantizers(model)(draw_image(model)).numpy()
    found = make_openvino_runner(export.convert_float_baseline(model), threads)()
    # Perhaps in bfloat16, which has 8 bits.
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.slow  # a conversion
def test_signals_arrive_after_openvino_has_run_several_files(tmp_path):
    need(OPENVINO)
    path = tmp_path / "model.tflite"
    path.write_bytes(export.convert_float_baseline(tiny_resnet((8, 8, 3), 4)))
    code = f"""
import faulthandler, signal
from pathlib import Path
from experiments.benchmarks.other_runtimes import make_openvino_runner
faulthandler.enable()  # gives the process a stack for signals
signal.signal(signal.SIGTERM, lambda *_: print("caught"))
flatbuffer = Path({str(path)!r}).read_bytes()
first, second = (make_openvino_runner(flatbuffer, threads) for threads in (1, 2))
del first
third = make_openvino_runner(flatbuffer, 1)
del second, third
signal.raise_signal(signal.SIGTERM)
"""
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "caught\n")
