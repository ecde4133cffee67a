"""The C program of the page "From a published checkpoint to a phone", built as the page says."""

import json
import platform
import re
import shutil
import subprocess

import numpy as np
import phone_page
import pytest
import tensorflow as tf
from bundles import small_bundle
from delegates import need_delegate
from programs import EMULATOR, need_cross_compiler, need_programs
from several_ends import given, image_and_features

import export
from export import runtime
from export.proof import golden
from export.proof.verification import TOLERANCE
from export.tflite.flatbuffer import read

need_delegate()
pytestmark = pytest.mark.slow

TOOLCHAIN = r"-DCMAKE_TOOLCHAIN_FILE=\S+"


@pytest.fixture(scope="module", params=["this machine", "64-bit ARM"])
def self_test(request, tensorflow_lite_c, tmp_path_factory):
    """Runs the program, with the arguments given."""
    place = tmp_path_factory.mktemp("place")
    emulated = request.param == "64-bit ARM"
    if emulated:
        need_cross_compiler()
    else:
        need_programs("cmake", "cc", "c++")
    library = tensorflow_lite_c("aarch64" if emulated else platform.machine())
    shutil.copy(library, place / "libtensorflowlite_c.so")
    folder = phone_page.build("build-pi", place, without="" if emulated else TOOLCHAIN)

    def run(*arguments):
        command = [*(EMULATOR if emulated else ()), folder / "self_test", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    run.backend = "NEON" if emulated else runtime.backends()[0]
    return run


def change_outputs(folder, runs):
    """Adds 1 to all outputs of the last runs in the golden sample."""
    (end,) = json.loads((folder / "model.json").read_text("utf-8"))["golden"]["outputs"]
    content = (folder / "golden.bin").read_bytes()
    outputs = np.frombuffer(content, "<f4", offset=end["offset"]).reshape(end["shape"]).copy()
    outputs[-runs:] += 1
    (folder / "golden.bin").write_bytes(content[: end["offset"]] + outputs.tobytes())


@pytest.mark.parametrize("threads", [(), ("2",)])
def test_exported_folder_passes(self_test, folder, threads):
    done = self_test(folder, *threads)
    assert done.returncode == 0, done.stderr
    *classes, verdict, time = done.stdout.splitlines()
    outputs = small_bundle().golden.outputs[0]
    assert classes == [f"run {run}: class {values.argmax()}" for run, values in enumerate(outputs)]
    assert verdict.startswith("self-test passed: 4 of 4 runs within the tolerance (3 are enough), ")
    assert re.fullmatch(rf"median of 51 runs: [\d.]+ ms \({self_test.backend}\)", time)


@pytest.mark.parametrize(("runs", "code", "verdict"), [(1, 0, "passed: 3"), (2, 1, "FAILED: 2")])
def test_folder_with_other_outputs_fails(self_test, folder, runs, code, verdict):
    change_outputs(folder, runs)
    done = self_test(folder)
    assert done.returncode == code
    assert f"self-test {verdict} of 4 runs within the tolerance (3 are enough)" in done.stdout


def test_network_with_several_inputs_and_outputs_passes(self_test, tmp_path):
    tf.keras.utils.set_random_seed(0)
    model = image_and_features()
    inputs = given(model)
    rewritten, _ = export.rewrite(model, inputs)
    file = read(export.convert(rewritten))
    sample = golden.make_golden_sample(file, inputs, source="random", tolerance=TOLERANCE)
    description = {"name": "golden", "golden": golden.describe(sample, file)}
    (tmp_path / "model.json").write_text(json.dumps(description), "utf-8")
    (tmp_path / "model.tflite").write_bytes(file.content)
    (tmp_path / "golden.bin").write_bytes(golden.encode(sample))
    done = self_test(tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{sample.runs} of {sample.runs} runs within the tolerance" in done.stdout
    # A line for each output.
    assert done.stdout.count("run 0: class ") == 2


def test_what_cannot_be_used_is_named(self_test, folder):
    def refusal(*arguments):
        done = self_test(*arguments)
        assert done.returncode == 2
        return done.stderr

    assert refusal() == "self_test: error: usage: self_test FOLDER [THREADS]\n"
    assert "num_threads` must be a whole number from 1 to 256, got num_threads=0" in refusal(
        folder, "0"
    )
    assert "model.tflite: No such file" in refusal(folder.parent)
    content = (folder / "model.tflite").read_bytes()
    (folder / "model.tflite").write_bytes(content.replace(b"LceBconv2d", b"LceBconv9d"))
    assert "LceBconv9d, cannot be run: the operator is unknown" in refusal(folder)
    (folder / "model.tflite").write_bytes(content[:100])
    assert "model.tflite cannot be used" in refusal(folder)
    (folder / "model.tflite").write_bytes(content)
    (folder / "golden.bin").write_bytes((folder / "golden.bin").read_bytes()[:-100])
    assert "golden.bin belongs to another network" in refusal(folder)
    description = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps({**description, "golden": None}), "utf-8")
    assert "model.json describes no golden sample" in refusal(folder)


def test_two_commands_build_the_library_for_arm(tmp_path):
    need_cross_compiler()
    folder = phone_page.build("build-arm", tmp_path)
    header = (folder / "librecu_delegate.so").read_bytes()[:20]
    assert header[:5] == b"\x7fELF\x02"
    # The number of AArch64.
    assert int.from_bytes(header[18:20], "little") == 183
