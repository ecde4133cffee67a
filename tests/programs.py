"""Programs that are not on every machine; tests that need them skip without."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

# Of 64-bit ARM, before the command of a program.
EMULATOR = ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def need_programs(*names):
    """Skips the test where one of these programs is not installed."""
    if missing := [name for name in names if not shutil.which(name)]:
        pytest.skip(f"needs {', '.join(missing)}, not installed here")


def need_cross_compiler():
    """Skips the test where programs for 64-bit ARM cannot be built or run."""
    need_programs("cmake", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", EMULATOR[0])


def need_compiler():
    """The command of the compiler that the delegate is built with; skips the test without one."""
    # Tests of a browser need no export.
    from export.runtime import compile_delegate

    try:
        return compile_delegate.find_compiler()
    except FileNotFoundError as error:
        pytest.skip(f"needs a C++ compiler: {error}")


def need_sanitizers(flags):
    """Skips the test where programs with the sanitizers of such flags are not compiled or run."""
    compiler = need_compiler()
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "empty"
        program.with_suffix(".cc").write_text("int main() {}\n")
        try:
            command = [*compiler, *flags, f"{program}.cc", "-o", program]
            subprocess.run(command, check=True, capture_output=True)
            subprocess.run([program], check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip(f"needs a C++ compiler with the sanitizers of {' '.join(flags)}")


def find_browser():
    """The path of a browser; skips the test where none is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser, none of {', '.join(BROWSERS)} is installed")
    return found


def download_tensorflow_lite_c(processor, folder):
    """The path of TensorFlow Lite's C library for a processor, put into a folder.

    The wheels of pymicro-wakeword have one, of TensorFlow Lite 2.17, for x86_64 and aarch64. The
    wheels of TensorFlow and LiteRT export no C interface. Skips the test where it cannot be had.
    """
    wanted = ["--platform", f"manylinux_2_35_{processor}", "pymicro-wakeword==2.5.0"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder]
    command += ["--no-deps", "--only-binary=:all:", *wanted]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"needs pymicro-wakeword for {processor}, which pip cannot download here")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("tensorflowlite_c.so")]
        return Path(archive.extract(name, folder))
