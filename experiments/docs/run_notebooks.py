"""Runs the notebooks of the documentation from top to bottom, without Jupyter.

```sh
python -m experiments.docs.run_notebooks own_model
```

runs one in the current folder, where it leaves its files, and keeps what each cell prints in it.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOKS", "run_notebook"]

FOLDER = Path(__file__).parent / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def run_notebook(name: str) -> dict[str, Any]:
    """Runs the cells of a notebook one after the other, with the same names.

    Args:
        name: one of `NOTEBOOKS`.

    Returns:
        The notebook as JSON, with what each cell printed.

    Raises:
        ValueError: there is no such notebook.
        Exception: that of the first cell that fails.
    """
    if name not in NOTEBOOKS:
        raise ValueError(f"`name` must be one of {', '.join(NOTEBOOKS)}, got {name!r}.")
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"{name}.ipynb, cell {number}", "exec"), names)
        lines = printed.getvalue().splitlines(keepends=True)
        output = {"output_type": "stream", "name": "stdout", "text": lines}
        cell |= {"execution_count": number, "outputs": [output] if lines else []}
    return notebook


def write_notebook(name: str) -> None:
    """Runs a notebook and keeps what it prints in its file.

    Args:
        name: one of `NOTEBOOKS`.
    """
    text = json.dumps(run_notebook(name), indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.ipynb").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NOTEBOOKS:
        write_notebook(chosen)
