import json

from experiments.docs import opening_picture


def write_benchmarks(path, *networks):
    def table(key, ours, numbers):
        rows = [{"name": name, "medians": {**numbers, "other": 1}} for name in networks]
        return {"key": key, "ours": ours, "rows": rows}

    tables = [
        table("latency_1", "delegate", {"delegate": 0.07, "float32": 0.4}),
        table("latency_2", "delegate", {"delegate": 0.06, "float32": 0.3}),
        table("file_size", "binary file", {"binary file": 51.0, "float32": 1086.0}),
    ]
    path.write_text(json.dumps({"inference": {"tables": tables}}))


def test_costs_are_those_that_the_benchmarks_measured(tmp_path):
    path = tmp_path / "benchmarks.json"
    write_benchmarks(path, "ResNet-20", "ResNet-18")
    costs = opening_picture.read_costs(path)
    assert costs == [("file", "{:,.0f} kB", 1086.0, 51.0), ("time", "{:.2g} ms", 0.4, 0.07)]


def test_benchmarks_of_this_project_have_the_costs():
    for _, _, real, binary in opening_picture.read_costs():
        assert real > binary > 0
