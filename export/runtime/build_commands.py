"""What setuptools does to build the delegate: the commands of both set-ups.

`setup.py` of the whole project and `setup.py` beside this file run this file by its path, before
anything is installed.
"""

import runpy
import subprocess
from pathlib import Path

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError

__all__ = ["BuildDelegate", "BuildModules", "PlatformWheel"]

# The modules that are not installed: they build, or belong into the folder of an export only.
LEFT_OUT = {
    "export.runtime": {"build_commands", "setup"},
    "recu_runtime": {"build_commands", "predict", "setup"},
}

delegate = runpy.run_path(str(Path(__file__).with_name("compile_delegate.py")))


class BuildModules(build_py):
    """Builds the modules of a package except those that are not installed."""

    def find_package_modules(self, package, package_dir):
        """The modules as (package, name, path)."""
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if module[1] not in LEFT_OUT.get(package, ())]


class BuildDelegate(build_ext):
    """Compiles the delegate as a plain shared library, which no Python version is needed for."""

    def get_ext_filename(self, name):
        """The path of the library, without the suffix of a Python version."""
        return f"{name.replace('.', '/')}.so"

    def build_extension(self, extension):
        """Compiles the library to its path."""
        try:
            delegate["compile_delegate"](self.get_ext_fullpath(extension.name))
        except FileNotFoundError as error:
            # The one kind of error that an optional extension may end with.
            raise CompileError(f"the delegate was not compiled: {error}") from error
        except subprocess.CalledProcessError as error:
            raise CompileError(f"the delegate was not compiled: {error}\n{error.stderr}") from error


class PlatformWheel(bdist_wheel):
    """A wheel for any Python 3 on this platform."""

    def get_tag(self):
        """Python 3, no ABI, and this platform."""
        return "py3", "none", super().get_tag()[2]
