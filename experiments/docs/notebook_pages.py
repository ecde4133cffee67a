"""A notebook as a page: its text, its code, and what the code printed."""

import json
from pathlib import Path

__all__ = ["write_notebook_page"]


def write_notebook_page(path: Path) -> str:
    """The Markdown of a notebook.

    Args:
        path: of the `.ipynb` file.
    """
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"
