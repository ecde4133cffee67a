"""Packaging: the library, the experiments, the export and the command ``recu``."""

import re
import runpy
from pathlib import Path

from setuptools import Extension, find_packages, setup

here = Path(__file__).parent
version = re.search(
    r'^__version__ = "([^"]+)"', (here / "recu_tf/__init__.py").read_text("utf-8"), re.MULTILINE
).group(1)

# By its path: importing the package would need what is about to be installed.
commands = runpy.run_path(str(here / "export/runtime/build_commands.py"))

setup(
    name="recu_tf",
    version=version,
    description="ReCU binary neural networks for Keras, Larq and Larq Compute Engine",
    long_description=(here / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "recu_tf/vendored/uplot/LICENSE"],
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["recu_tf*", "experiments*", "export*"]),
    package_data={
        "recu_tf": ["templates/*", "vendored/uplot/*", "weights/*"],
        "experiments.pretrained": ["*.png"],
        "experiments.report": ["templates/*"],
        "export.bundle": ["templates/*"],
        "export.runtime": ["source/*"],
    },
    # Optional: without a compiler everything but the delegate is installed, and works.
    ext_modules=[Extension("export.runtime.librecu_delegate", sources=[], optional=True)],
    cmdclass={
        "build_ext": commands["BuildDelegate"],
        "build_py": commands["BuildModules"],
        "bdist_wheel": commands["PlatformWheel"],
    },
    # Makes an editable install put the folder itself on the path. By default it installs a
    # finder, which Python asks last: beside a clone named recu_tf, `import recu_tf` would then
    # import the clone's folder instead of the package in it.
    package_dir={"": "."},
    # tf-keras requires the TensorFlow of its own minor version, so the two always match.
    install_requires=[
        "tensorflow>=2.16,<2.22",
        "tf-keras>=2.16,<2.22",
        "larq>=0.13.3,<0.15",
        # Larq requires NumPy < 2.
        "numpy>=1.26,<2",
        # Writes the logs of a training. TensorFlow 2.21 no longer installs it.
        "tensorboard>=2.16",
        # The command tensorboard, up to 2.20, imports pkg_resources; setuptools 82 removed it.
        "setuptools<82",
        "jinja2>=3.1",
        "matplotlib>=3.8",
        "tabulate>=0.9",
    ],
    extras_require={
        "data": [
            "tensorflow-datasets>=4.8,<5",
            # Newer releases accept protobuf 4, which TensorFlow 2.16 and 2.17 need, but fail to
            # import with it.
            "tensorflow-metadata<1.18",
            "scikit-learn>=1.3",
        ],
        "export": ["larq-compute-engine>=0.16,<0.17", "pillow>=10"],
        # larq-zoo requires protobuf < 3.21. TensorFlow 2.20 and tensorflow-datasets 4.9 require a
        # newer protobuf.
        "zoo": ["larq-zoo>=2.3,<3", "tensorflow<2.20", "tensorflow-datasets<4.9"],
        # In older releases a file can execute code although only its weights are read
        # (CVE-2025-32434, CVE-2026-24747). Newer releases are untested.
        "torch": ["torch>=2.10,<2.14"],
        "docs": [
            "latex2mathml>=3.77,<4",
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.6,<10",
            "mkdocstrings[python]>=1,<2",
        ],
        # Other runtimes for `make bench`. larq-zoo excludes the protobuf that onnx 1.17 needs.
        "bench": ["onnx<1.17", "onnxruntime>=1.17", "openvino>=2024.4", "tf2onnx>=1.16"],
        "mlflow": ["mlflow>=2.10"],
        "wandb": ["wandb>=0.16"],
        "test": ["pytest>=8", "pytest-xdist>=3.6,<4", "ruff==0.17.6", "pillow>=10"],
    },
    entry_points={"console_scripts": ["recu=experiments.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
