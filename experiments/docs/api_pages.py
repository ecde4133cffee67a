"""The pages of the Python reference: one for each public module, from its docstrings."""

import ast
from pathlib import Path

__all__ = ["find_public_modules", "write_api_pages"]

# Public beside those that `recu_tf.__all__` names.
MORE = ("recu_tf.models.zoo", "export", "export.runtime")
# What `tests/test_docstring_examples.py` runs them with.
EXAMPLES = """All examples begin with these lines:

```python
import recu_tf  # before tensorflow: it selects the Keras that Larq needs
import export
import larq as lq
import numpy as np
import tensorflow as tf
```
"""


def find_public_modules(tree: Path) -> list[str]:
    """The names of the public modules, read without importing them."""
    package = ast.parse((tree / "recu_tf" / "__init__.py").read_text("utf-8"))
    (names,) = [
        ast.literal_eval(node.value)
        for node in package.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__"
    ]
    return sorted([*(f"recu_tf.{name}" for name in names), *MORE])


def write_api_pages(tree: Path) -> dict[str, str]:
    """The Markdown of each module's page, by the module's name.

    Args:
        tree: the repository.
    """
    pages = {name: f"# {name}\n\n::: {name}\n" for name in find_public_modules(tree)}
    lines = [f"- [{name}]({name}.md)" for name in pages]
    return {**pages, "index": "\n".join(["# Python reference\n", *lines, "", EXAMPLES])}
