"""What runs an exported file, on whatever machine it is brought to.

The delegate (`source/`, C++) runs the binary operators of Larq Compute Engine inside the stock
interpreter of TensorFlow Lite or LiteRT. `predict.py` is copied into the folder of an export.

This folder is installed under two names: as `export.runtime` with the whole project, and as
`recu_runtime` by itself (`setup.py` beside this file). So its files import each other by relative
imports, which the rest of the project does not have.

Examples:
    >>> from export import runtime  # or `import recu_runtime as runtime`
    >>> export.runtime.find_problem()  # None: it was compiled
    >>> export.runtime.name_interpreter() in ("LiteRT", "TensorFlow Lite")
    True
    >>> "portable" in export.runtime.backends()
    True

    A binary layer in a file, made by `export.convert`, or by `recu export`:

    >>> layer = lq.layers.QuantConv2D(
    ...     32, 3, kernel_quantizer="recu", input_quantizer="standardized_approx_sign"
    ... )
    >>> model = tf.keras.Sequential([tf.keras.Input((8, 8, 32)), layer])
    >>> file = export.convert(model)
    >>> delegate = export.runtime.delegate(num_threads=2, measure=True)
    >>> interpreter = export.runtime.load(file, with_delegate=delegate)
    >>> interpreter.set_tensor(
    ...     interpreter.get_input_details()[0]["index"], np.ones((1, 8, 8, 32), "float32")
    ... )
    >>> interpreter.invoke()
    >>> [step.macs for step in export.runtime.profile(delegate)]
    [0, 331776]
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
__version__ = "0.2.0"
