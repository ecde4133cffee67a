from experiments.benchmarks import step_growth
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.step_growth import build_scaled, measure_growth


def test_scaled_network_is_wider_and_takes_other_images():
    model = build_scaled(8, 16, "float")
    assert model.input_shape == (None, 16, 16, 3)
    assert model.get_layer("conv1").filters == 8
    assert model.get_layer("layer3.2.conv2").filters == 32


def test_each_axis_has_a_table(monkeypatch):
    monkeypatch.setattr(step_growth, "run_alone", lambda function, *given: function(*given))
    monkeypatch.setattr(step_growth, "build_scaled", lambda width, size, precision: None)
    monkeypatch.setattr(step_growth, "trace_step", lambda model, batch: lambda: None)
    progress = Progress()
    axes = {"batch": (1, 2), "image size": (8,)}
    measure_growth(BenchmarkOptions(repeats=1), progress, axes)
    assert [table.key for table in progress.tables] == ["growth_batch", "growth_image_size"]
    assert [row.name for row in progress.tables[0].rows] == ["1 images", "2 images"]
