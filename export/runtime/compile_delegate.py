"""Compiles the delegate: `python export/runtime/compile_delegate.py`, or during the installation.

It needs a C++17 compiler (GCC or Clang). Only the standard library is imported: `setup.py` runs
this file before anything is installed.
"""

import argparse
import concurrent.futures
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["LIBRARY", "compile_delegate"]

SOURCES = Path(__file__).with_name("source")
LIBRARY = "librecu_delegate.so"


def find_compiler() -> list[str]:
    """The command of the C++ compiler: `$CXX`, or the first of c++, g++ and clang++.

    Raises:
        FileNotFoundError: there is none.
    """
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    if named:
        raise FileNotFoundError(
            f"the environment variable CXX names {named[0]}, which was not found"
        )
    raise FileNotFoundError(
        "no C++ compiler was found (c++, g++ or clang++; CXX names another): install one, such as "
        "Debian's package g++"
    )


def list_sources(processor: str) -> dict[Path, list[str]]:
    """The source files for a processor, each with its flags, from `source/compiler_flags.txt`.

    Args:
        processor: as compilers name it, such as "x86_64" or "aarch64".
    """
    sources: dict[Path, list[str]] = {path: [] for path in sorted(SOURCES.glob("*.cc"))}
    for line in (SOURCES / "compiler_flags.txt").read_text("utf-8").splitlines():
        if words := shlex.split(line, comments=True):
            name, wanted, *flags = words
            for path in [path for path in sources if path.match(name)]:
                if wanted in ("*", processor):
                    sources[path] += flags
                else:
                    del sources[path]
    return sources


def compile_delegate(path: str | os.PathLike) -> Path:
    """Compiles the delegate for the compiler's processor.

    Args:
        path: of the shared library to write.

    Returns:
        `path`.

    Raises:
        FileNotFoundError: there is no compiler.
        IsADirectoryError: `path` is a folder.
        subprocess.CalledProcessError: the compiler failed; its messages are in `stderr`.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"the library must be a file, got the folder {path}")
    compiler = find_compiler()
    machine = _run([*compiler, "-dumpmachine"]).split("-")[0]
    path = Path(path)
    with tempfile.TemporaryDirectory() as directory:
        commands, objects = [], []
        for source, own in list_sources(machine).items():
            objects.append(f"{directory}/{source.stem}.o")
            commands.append([*compiler, *own, "-c", str(source), "-o", objects[-1]])
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_run, commands))
        library = f"{directory}/{LIBRARY}"
        _run([*compiler, "-shared", "-pthread", "-o", library, *objects])
        path.parent.mkdir(parents=True, exist_ok=True)
        # A program that has the old library open keeps it.
        aside = path.with_name(f".{path.name}.partial")
        try:
            shutil.copyfile(library, aside)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    return path


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Compiles the delegate into the package, or where `--out` says."""
    parser = argparse.ArgumentParser(description="Compiles the delegate for TensorFlow Lite.")
    parser.add_argument("--out", metavar="FILE", default=Path(__file__).with_name(LIBRARY))
    try:
        print(f"Wrote {compile_delegate(parser.parse_args().out)}")
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"error: the compiler failed: {command}\n{error.stderr}".rstrip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
