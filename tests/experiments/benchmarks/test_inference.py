import numpy as np
import pytest
from conftest import tiny_resnet

from experiments.benchmarks import inference, network_files
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.inference import CONTENT, measure_network, time_sides
from experiments.benchmarks.other_runtimes import ONNX, OPENVINO, find_missing_packages
from export import runtime


def test_side_that_fails_is_missing_with_its_reason(monkeypatch):
    monkeypatch.setattr(inference, "BURST_MS", 0.01)

    def fail(threads):
        raise RuntimeError("no such\n operator")

    missing = {}
    found = time_sides({"A": lambda threads: lambda: None, "B": fail}, 2, missing)
    assert missing == {"B": "RuntimeError: no such operator"}
    assert {key: list(sides) for key, sides in found.items()} == {
        1: ["A"],
        2: ["A"],
        "burst": ["A"],
    }
    assert all(values["A"].shape == (2,) for values in found.values())


def test_fastest_backend_is_chosen(monkeypatch):
    times = {"slow": np.array([2.0, 9.0]), "fast": np.array([1.0, 1.0])}
    monkeypatch.setattr(inference, "make_runner", lambda file, backend: backend)
    monkeypatch.setattr(inference, "take_turns", lambda runs, repeats, warm_up: times)
    assert inference.choose_fastest(b"", ("slow", "fast")) == "fast"
    assert inference.choose_fastest(b"", ("only",)) == "only"


def test_network_that_fails_does_not_lose_the_others(monkeypatch):
    class Made(dict):
        def result(self):
            raise ValueError("cannot be converted")

    monkeypatch.setattr(inference, "make_all_files", lambda names: {name: Made() for name in names})
    progress = Progress()
    inference.measure_inference(BenchmarkOptions(networks=("resnet20_1w1a",)), progress)
    assert "cannot be converted" in progress.left_out["inference of ResNet-20"]
    assert not any(table.rows for table in progress.tables)


def test_threads_that_take_longer_than_one_are_the_reason():
    assert inference.explain_threads(2, 0.3, 0.4) == ""
    assert inference.explain_threads(2, 4.4, 0.4).startswith("2 threads take 11.0 times as long as")


@pytest.mark.slow  # several conversions
def test_network_is_measured_in_all_runtimes_that_are_installed(monkeypatch):
    monkeypatch.setattr(network_files, "build_network", lambda name: tiny_resnet((8, 8, 3), 4))
    monkeypatch.setattr(inference, "BURST_MS", 0.1)
    files = network_files.make_files("resnet20_1w1a")
    assert files.weights > files.binary_weights > 0
    found = measure_network(files, 2)
    sides = {ONNX, OPENVINO, "engine", "float32", "int8"} - {*find_missing_packages()}
    if not runtime.find_problem():
        sides.add("delegate")
    for key in ("latency_1", "latency_2", "throughput"):
        assert {*found.rows[key].medians} == sides
        assert all(value > 0 for value in found.rows[key].medians.values())
    sizes = found.rows["file_size"].medians
    assert sizes[CONTENT] == pytest.approx(files.information / 1e3)
    assert sizes["binary file"] == pytest.approx(len(files.binary) / 1e3)
