"""Packaging of the runtime by itself: `pip install export/runtime/` installs `recu_runtime`.

It is this folder under another name, and needs neither the rest of the project nor TensorFlow.
"""

import re
import runpy
from pathlib import Path

from setuptools import Extension, setup

here = Path(__file__).parent
version = re.search(
    r'^__version__ = "([^"]+)"', (here / "__init__.py").read_text("utf-8"), re.MULTILINE
).group(1)

commands = runpy.run_path(str(here / "build_commands.py"))

setup(
    name="recu-runtime",
    version=version,
    description="Runs the files of Larq Compute Engine in LiteRT",
    long_description=(here / "DELEGATE.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.14",
    packages=["recu_runtime"],
    package_dir={"recu_runtime": "."},
    package_data={"recu_runtime": ["source/*"]},
    # Not optional as in the whole project: the library is all that there is.
    ext_modules=[Extension("recu_runtime.librecu_delegate", sources=[])],
    cmdclass={
        "build_ext": commands["BuildDelegate"],
        "build_py": commands["BuildModules"],
        "bdist_wheel": commands["PlatformWheel"],
    },
    install_requires=["ai-edge-litert>=1.4,<3", "numpy>=1.26,<3"],
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
