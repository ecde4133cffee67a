"""What runs an exported file, on whatever machine it is brought to.

The delegate (`source/`, C++) runs the binary operators of Larq Compute Engine inside the stock
interpreter of TensorFlow Lite or LiteRT. `predict.py` is copied into the folder of an export.
"""

from export.runtime.external_delegate import delegate, find_problem, load, profile

__all__ = ["delegate", "find_problem", "load", "profile"]
