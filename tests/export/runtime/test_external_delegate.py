import os
import subprocess
import sys

import pytest
from conftest import small_resnet
from delegates import hide_delegate, need_delegate
from networks import with_random_statistics

import export
from export import runtime
from export.proof.single_operator import Convolution, build_file, draw_numbers
from export.runtime import external_delegate

need_delegate()


def test_everything_between_binary_convolutions_runs_in_one_step_or_none():
    model = with_random_statistics(small_resnet((12, 12, 3), 5))
    measured = runtime.delegate(measure=True)
    interpreter = runtime.load(export.convert(model), with_delegate=measured)
    interpreter.invoke()
    steps = runtime.profile(measured)
    convolutions = [step for step in steps if step.name.startswith("binary convolution")]
    assert len(convolutions) == 4
    assert all(step.macs > 0 for step in convolutions)
    # Signs of the stem's outputs, and the shortcut of the second stage.
    others = [step.name for step in steps if step not in convolutions]
    assert others == ["quantize", "average pool", "pad channels"]
    assert all(step.microseconds > 0 for step in steps)


COUNT_THREADS = """
import ctypes, os, sys
os.sched_setaffinity(0, set(map(int, sys.argv[2:])))
create = ctypes.CDLL(sys.argv[1]).tflite_plugin_create_delegate
keys, values = (ctypes.c_char_p * 1)(b"num_threads"), (ctypes.c_char_p * 1)(b"2")
create(keys, values, ctypes.c_size_t(1), None)
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize("count", [1, 2])
def test_threads_are_no_more_than_the_processors_that_the_process_may_use(count):
    processors = sorted(map(str, os.sched_getaffinity(0)))[:count]
    command = [sys.executable, "-c", COUNT_THREADS, str(external_delegate.PATH), *processors]
    assert int(subprocess.check_output(command, text=True)) == len(processors)


def test_library_that_is_absent_is_named_with_the_remedy(monkeypatch):
    hide_delegate(monkeypatch)
    with pytest.raises(
        FileNotFoundError, match=r"not compiled when .* Install a C\+\+ compiler.*compile_delegate"
    ):
        runtime.delegate()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"num_threads": 0},
            "num_threads. must be .* from 1 to 256, got num_threads=0",
        ),
        ({"backend": "SSE"}, "backend. must be one that this processor has.*got backend=SSE"),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        runtime.delegate(**options)


def test_operator_that_cannot_be_run_is_named_with_the_reason():
    case = Convolution((4, 4), (3, 3), channels=32, pad_values=0)
    content = build_file((case, draw_numbers(case))).replace(b"LceBconv2d", b"LceBconv9d")
    with pytest.raises(RuntimeError, match=r"node 1, LceBconv9d, cannot be run: .*unknown"):
        runtime.load(content)


def test_library_of_another_machine_is_named_with_the_remedy(monkeypatch, tmp_path):
    path = tmp_path / "librecu_delegate.so"
    path.write_bytes(b"MZ")
    monkeypatch.setattr(external_delegate, "PATH", path)
    assert "cannot be loaded: " in runtime.find_problem()
    with pytest.raises(FileNotFoundError, match=r"cannot be loaded: .*compile_delegate"):
        runtime.load(b"")


def test_what_is_no_delegate_or_measures_nothing_is_refused():
    with pytest.raises(TypeError, match="a delegate from `delegate` is needed, got 3"):
        runtime.profile(3)
    with pytest.raises(ValueError, match=r"`measured` must be from delegate\(measure=True\)"):
        runtime.profile(runtime.delegate())


def test_refused_backend_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match=f"processor has: {', '.join(runtime.backends())}, got"):
        runtime.delegate(backend="Z80")
