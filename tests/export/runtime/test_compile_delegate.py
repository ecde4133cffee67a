import json
import shlex
import subprocess

import pytest
from programs import need_programs

from export.runtime import compile_delegate

RUNTIME = compile_delegate.SOURCES.parent


def test_every_source_file_with_flags_of_its_own_exists():
    lines = (RUNTIME / "source" / "compiler_flags.txt").read_text("utf-8").splitlines()
    names = {line.split()[0] for line in lines if line and not line.startswith("#")} - {"*"}
    assert len(names) > 1
    assert [name for name in names if not (RUNTIME / "source" / name).exists()] == []


def test_backends_are_compiled_for_their_processors_only():
    sources = {
        processor: {
            path.name: flags for path, flags in compile_delegate.list_sources(processor).items()
        }
        for processor in ("x86_64", "aarch64", "armv7l")
    }
    common = sources["armv7l"]["backend_portable.cc"]
    assert "-ffp-contract=off" in common
    assert sources["x86_64"]["backend_avx2.cc"] == [*common, "-mavx2"]
    assert sources["aarch64"]["backend_neon.cc"] == common
    assert "backend_neon.cc" not in sources["x86_64"]
    assert "backend_avx2.cc" not in sources["aarch64"]
    assert not {"backend_avx2.cc", "backend_neon.cc"} & sources["armv7l"].keys()


@pytest.mark.parametrize(
    ("compiler", "option"),
    [
        ("g++", "-DCMAKE_CXX_COMPILER=g++"),
        ("aarch64-linux-gnu-g++", "-DCMAKE_TOOLCHAIN_FILE=aarch64-linux-gnu.cmake"),
    ],
)
def test_cmake_compiles_the_same_files_with_the_same_flags(tmp_path, compiler, option):
    need_programs("cmake", compiler)
    machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True, check=True)
    listed = compile_delegate.list_sources(machine.stdout.split("-")[0])
    command = ["cmake", "-S", RUNTIME, "-B", tmp_path, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", option]
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert configured.returncode == 0, configured.stderr
    found = {}
    for entry in json.loads((tmp_path / "compile_commands.json").read_text("utf-8")):
        words = shlex.split(entry["command"])[1:]
        own = {word for word in words if not word.startswith(("-D", "-I"))}
        found[entry["file"]] = own - {"-o", "-c", entry["file"], words[words.index("-o") + 1]}
    assert found == {str(path): set(flags) for path, flags in listed.items()}


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r"no C\+\+ compiler was found .*: install one"):
        compile_delegate.find_compiler()


def test_library_cannot_be_a_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="the library must be a file, got the folder"):
        compile_delegate.compile_delegate(tmp_path)
