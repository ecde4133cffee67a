import json

from experiments.docs.notebook_pages import write_notebook_page


def test_page_has_text_code_and_what_it_printed(tmp_path):
    output = {"output_type": "stream", "name": "stdout", "text": ["2\n"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
        {"cell_type": "code", "source": ["print(2)"], "outputs": [output]},
        {"cell_type": "code", "source": ["number = 3"], "outputs": []},
    ]
    path = tmp_path / "small.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert write_notebook_page(path) == (
        "# Title\nText.\n\n```python\nprint(2)\n```\n\n```text\n2\n```\n\n"
        "```python\nnumber = 3\n```\n"
    )
