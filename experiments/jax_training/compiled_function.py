"""A TensorFlow function as files that XLA can compile where there is no TensorFlow."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

__all__ = ["CompiledFunction", "compile_function"]

# In the first line of HLO: which output may take the place of which parameter.
ALIAS = re.compile(r"\{(\d+)\}: \((\d+), \{\}")


@dataclass(frozen=True)
class CompiledFunction:
    """A function in XLA's language, HLO, with its variables as further inputs and outputs.

    Attributes:
        hlo: serialised. It maps the arguments and then the values of `variables` to the results and
            then the new values that `updates` tells.
        variables: that the function reads or writes, in the order of its inputs.
        arguments: shapes and dtypes of the arguments.
        results: shapes and dtypes of the results.
        updates: for each output behind the results, the index of the variable that it changes.
    """

    hlo: bytes
    variables: tuple[tf.Variable, ...]
    arguments: tuple[tf.TensorSpec, ...]
    results: tuple[tf.TensorSpec, ...]
    updates: tuple[int, ...]

    def write(self, path: Path, names: Sequence[str]) -> None:
        """Writes `path`.hlo, and `path`.json with everything else.

        Args:
            path: without suffix.
            names: of `variables`.
        """
        described = {
            "arguments": [[list(spec.shape), spec.dtype.name] for spec in self.arguments],
            "results": [[list(spec.shape), spec.dtype.name] for spec in self.results],
            "variables": list(names),
            "updates": list(self.updates),
        }
        path.with_suffix(".hlo").write_bytes(self.hlo)
        path.with_suffix(".json").write_text(json.dumps(described))


def compile_function(function: Callable, arguments: Sequence[tf.TensorSpec]) -> CompiledFunction:
    """Compiles a function of tensors to HLO, without running it.

    Args:
        function: from tensors to a tensor or several; it may read and assign variables.
        arguments: shapes and dtypes of its arguments, all known.

    Raises:
        ValueError: it uses a tensor that is neither an argument nor a variable.
    """
    compiled = tf.function(function, arguments, autograph=False, jit_compile=True)
    traced = compiled.get_concrete_function()
    by_handle = {id(variable.handle): variable for variable in traced.graph.variables}
    variables = [by_handle.get(id(captured)) for captured in traced.captured_inputs]
    if any(variable is None for variable in variables):
        raise ValueError("`function` must use its arguments and variables alone, got a tensor.")
    read = compiled.experimental_get_compiler_ir(*arguments)
    header = read(stage="hlo").partition("\n")[0]
    changed = {int(output): int(parameter) for output, parameter in ALIAS.findall(header)}
    results = [tf.TensorSpec(r.shape, r.dtype) for r in tf.nest.flatten(traced.structured_outputs)]
    outputs = range(len(results), len(results) + len(changed))
    return CompiledFunction(
        read(stage="hlo_serialized"),
        tuple(variables),
        tuple(arguments),
        tuple(results),
        tuple(changed[output] - len(arguments) for output in outputs),
    )
