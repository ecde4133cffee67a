"""Builds the sdist and the wheels, installs them in fresh environments, and tries each.

`make release-check` runs it. Only the standard library is needed.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Environment", "list_environments", "main"]

TREE = Path(__file__).parents[2]
ROOT = TREE / "build/release-check"


class Environment(NamedTuple):
    """An environment into which the project is installed.

    Attributes:
        name: of it, and of its folder.
        package: what is installed: "wheel" or "sdist".
        tensorflow: version, such as "2.21".
        extras: of the project, one installation after another; the project is tried after each.
        has_compiler: whether a compiler is found.
    """

    name: str
    package: str
    tensorflow: str
    extras: tuple[str, ...] = ("[export]",)
    has_compiler: bool = True


def list_environments(oldest: str, newest: str) -> list[Environment]:
    """The environments, of which the first leaves an export for the runtime by itself.

    Args:
        oldest: TensorFlow that `setup.py` allows.
        newest: likewise.
    """
    return [
        Environment("newest-tensorflow", "wheel", newest),
        Environment("oldest-tensorflow", "wheel", oldest),
        Environment("compiled-there", "sdist", oldest),
        Environment("no-compiler", "sdist", newest, ("", "[export]"), has_compiler=False),
    ]


def _run(command: list[str | Path], **options) -> None:
    print("+", *command, flush=True)
    subprocess.run(list(map(str, command)), check=True, **options)


def _create(name: str, python: str) -> Path:
    """Creates an environment; returns its folder of commands."""
    _run([python, "-m", "venv", ROOT / name])
    _install(ROOT / name / "bin", ["--upgrade", "pip"])
    return ROOT / name / "bin"


def _install(commands: Path, packages: list[str | Path], **options) -> None:
    pip = [commands / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *packages], **options)


def build(python: str) -> dict[str, Path]:
    """Builds an sdist of each project, and from that a wheel; `build.log` has the messages.

    Args:
        python: the command that builds them.

    Returns:
        Their paths: "sdist" and "wheel" of the project, and "runtime", the wheel of the runtime by
        itself.
    """
    commands, dist = _create("builder", python), ROOT / "dist"
    _install(commands, ["build"])
    # Thousands of lines, which only matter after a failure.
    with (ROOT / "build.log").open("w") as log:
        for project in (TREE, TREE / "export/runtime"):
            command = [commands / "python", "-m", "build", "--outdir", dist, project]
            _run(command, stdout=log, stderr=subprocess.STDOUT)
    patterns = {"sdist": "recu_tf*.gz", "wheel": "recu_tf*.whl", "runtime": "recu_runtime*.whl"}
    return {name: next(dist.glob(pattern)) for name, pattern in patterns.items()}


def try_environment(environment: Environment, packages: dict[str, Path], python: str) -> None:
    """Installs the project, and runs the smoke test outside of the checkout.

    Args:
        environment: to create.
        packages: from `build`.
        python: the command that creates it.
    """
    commands = _create(environment.name, python)
    # Compilers lie elsewhere.
    path = str(commands) + (f":{os.environ['PATH']}" if environment.has_compiler else "")
    variables = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
    options = {"env": {**variables, "PATH": path}, "cwd": ROOT}
    for number, extras in enumerate(environment.extras):
        package = f"{packages[environment.package]}{extras}"
        _install(commands, [package, f"tensorflow=={environment.tensorflow}.*"], **options)
        smoke_test = [commands / "python", "-I", "-m", "experiments.release.smoke_test"]
        delegate = "compiled" if environment.has_compiler else "missing"
        folder = ROOT / "written" / f"{environment.name}-{number}"
        _run([*smoke_test, folder, "--delegate", delegate], **options)


def try_runtime(wheel: Path, bundle: Path, python: str) -> None:
    """Installs the runtime by itself, and runs an exported folder with it.

    Args:
        wheel: of the runtime.
        bundle: the exported folder.
        python: the command that creates the environment.
    """
    commands = _create("runtime", python)
    _install(commands, [wheel, "pillow"], cwd=ROOT)
    program = [commands / "python", "-I", bundle / "predict.py", "--self-test"]
    _run([*program, "--interpreter", "delegate"], cwd=ROOT)


def main(arguments: list[str] | None = None) -> int:
    """Builds and tries everything; stops at the first failure and leaves its environment.

    Args:
        arguments: of the command line; None means those of the program.
    """
    parser = argparse.ArgumentParser(description="Tries what a release would consist of.")
    parser.add_argument("oldest", help="version of TensorFlow, such as 2.16")
    parser.add_argument("newest", help="version of TensorFlow, such as 2.21")
    options = parser.parse_args(arguments)
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    try:
        packages = build(sys.executable)
        environments = list_environments(options.oldest, options.newest)
        for environment in environments:
            print(f"== {environment.name}", flush=True)
            try_environment(environment, packages, sys.executable)
        print("== the runtime by itself", flush=True)
        bundle = ROOT / "written" / f"{environments[0].name}-0" / "export"
        try_runtime(packages["runtime"], bundle, sys.executable)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd)} failed ({error.returncode})", file=sys.stderr)
        return 1
    shutil.rmtree(ROOT)
    print("All environments pass.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
