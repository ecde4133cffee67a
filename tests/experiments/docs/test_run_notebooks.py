import json
from pathlib import Path

import pytest
from delegates import need_delegate
from published_weights import CHECKPOINT, shared

from experiments.docs import run_notebooks
from experiments.docs.run_notebooks import FOLDER, NOTEBOOKS, run_notebook


def read_code(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    need_delegate()
    monkeypatch.chdir(tmp_path)
    if "checkpoint" in name:
        Path("model_best.pth.tar").symlink_to(shared(*CHECKPOINT))
    notebook = run_notebook(name)
    printed = "".join(
        line
        for cell in notebook["cells"]
        for out in cell.get("outputs", [])
        for line in out["text"]
    )
    assert ("answers are those of" if "checkpoint" in name else "images in the file") in printed


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_kept_with_what_it_printed(name):
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))
    assert any(cell.get("outputs") for cell in notebook["cells"])
    for code in read_code(notebook):
        compile(code, name, "exec")


def test_cells_share_their_names_and_keep_what_they_print(tmp_path, monkeypatch):
    code = [["number = 2\n", "print(number)"], ["print(number + 1)"], ["number"]]
    cells = [{"cell_type": "code", "source": source, "outputs": []} for source in code]
    (tmp_path / "small.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(run_notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(run_notebooks, "NOTEBOOKS", ["small"])
    outputs = [cell["outputs"] for cell in run_notebook("small")["cells"]]
    assert [output[0]["text"] for output in outputs[:2]] == [["2\n"], ["3\n"]]
    assert outputs[2] == []


def test_other_notebooks_are_refused():
    with pytest.raises(ValueError, match=r"`name` must be one of .*own_model, got 'nothing'"):
        run_notebook("nothing")
