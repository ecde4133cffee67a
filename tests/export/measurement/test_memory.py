import subprocess
import sys

import pytest
from tiny_files import binary_file, damaged, dense_file

from export.measurement import memory
from export.tflite import backends

LINUX = pytest.mark.skipif(not memory.STATUS.exists(), reason="needs Linux's /proc")


@LINUX
def test_memory_holds_the_weights():
    small, large = dense_file(units=3), dense_file(units=100_000)
    options = backends.FLOAT_BACKENDS["engine"]
    more, less = (memory.measure_loaded_memory(file, options) for file in (large, small))
    outputs = 2 * 100_000 * 4
    # At least its copy of the file and the outputs; at most three times that.
    assert 1 < (more - less) / (len(large) + outputs) < 3


@LINUX
@pytest.mark.parametrize("backend", ["optimized", "indirect bgemm"])
def test_memory_holds_the_tensors(backend):
    # Of one tensor; the allocator's reserve is smaller.
    activations = 8 * 8 * 2048 * 4
    assert memory.measure_loaded_memory(binary_file(2048), backends.BACKENDS[backend]) > activations


def test_file_that_a_backend_refuses_is_reported():
    with pytest.raises(RuntimeError, match=r"bconv2d\.cc Grouped binary convolutions"):
        memory.measure_loaded_memory(binary_file(64, groups=2), backends.BACKENDS["optimized"])


def test_damaged_file_ends_no_process_but_its_own():
    for flatbuffer in damaged(binary_file()):
        with pytest.raises(RuntimeError, match=r"crashes on it \(SIG|[Mm]odel|ERROR"):
            memory.measure_loaded_memory(flatbuffer, {})


def test_measuring_needs_no_tensorflow(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(binary_file())
    done = subprocess.run(
        [sys.executable, "-X", "importtime", memory.__file__, str(path), "{}"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert {"larq_compute_engine", "numpy"} <= modules
    assert not {"tensorflow", "export", "recu_tf"} & modules
