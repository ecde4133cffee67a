"""The runtime, which is installed by itself as well, as it lies in a clone of the repository."""

import shutil
from pathlib import Path

TREE = Path(__file__).parents[1]


def copy_runtime(clone):
    """Copies the runtime's folder, as git has it, and the license to their places in a clone.

    Returns:
        The path of the copied folder.
    """
    built = shutil.ignore_patterns("build", "*.egg-info", "*.so", "__pycache__")
    shutil.copytree(TREE / "export/runtime", clone / "export/runtime", ignore=built)
    shutil.copy(TREE / "LICENSE", clone)
    return clone / "export/runtime"
