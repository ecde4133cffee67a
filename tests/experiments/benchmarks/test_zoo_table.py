import json
import sys

import pytest
from conftest import tiny_resnet

from experiments.benchmarks import zoo_table
from recu_tf import models

NUMBERS = {
    "parameters": 12_000_000,
    "binary_parameters": 9_000_000,
    "bytes": {"binary": 4_000_000, "float32": 48_000_000},
    "median_ms": {"delegate": 1.04, "engine": 9.0, "float32": 20.0},
}


def test_row_has_sizes_and_latencies_and_leaves_out_a_missing_delegate():
    without = NUMBERS | {"median_ms": {"engine": 9.0, "float32": 20.0}}
    table = zoo_table.describe_table({"A": NUMBERS, "B": without}).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    shared = ["12.0 M", "75%", "4.00 MB", "48.00 MB"]
    assert rows == [
        ["A", *shared, "1.0 ms", "9.0 ms", "20.0 ms"],
        ["B", *shared, "", "9.0 ms", "20.0 ms"],
    ]


def test_networks_in_the_file_are_not_measured_again(tmp_path, monkeypatch, capsys):
    path = tmp_path / "zoo.json"
    path.write_text(json.dumps({"QuickNet": NUMBERS}))
    arguments = ["zoo_table", str(path), "--networks", "QuickNet"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(zoo_table, "ProcessPoolExecutor", None)
    zoo_table.main()
    assert "QuickNet" in capsys.readouterr().out


@pytest.mark.slow
def test_network_is_measured_as_binary_and_float(monkeypatch):
    monkeypatch.setattr(models.zoo, "build", lambda name, **_: tiny_resnet((8, 8, 3), 4))
    values = zoo_table.measure_network("QuickNet", repeats=1)
    assert values["bytes"]["binary"] < values["bytes"]["float32"]
    assert values["parameters"] > values["binary_parameters"] > 0
    assert {"engine", "float32"} <= {*values["median_ms"]} == {*values["backends"]}
    assert values["machine"]["cpu"]
    assert zoo_table.LEFT_OUT not in values["backends"].values()
