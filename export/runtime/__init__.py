"""What runs an exported file, on whatever machine it is brought to.

The delegate (`source/`, C++) runs the binary operators of Larq Compute Engine inside the stock
interpreter of TensorFlow Lite or LiteRT. `predict.py` is copied into the folder of an export.

This folder is installed under two names: as `export.runtime` with the whole project, and as
`recu_runtime` by itself (`setup.py` beside this file). So its files import each other by relative
imports, which the rest of the project does not have.
"""

from .external_delegate import (
    backends,
    delegate,
    find_problem,
    load,
    name_interpreter,
    profile,
)

__all__ = ["backends", "delegate", "find_problem", "load", "name_interpreter", "profile"]
__version__ = "0.1.0"
