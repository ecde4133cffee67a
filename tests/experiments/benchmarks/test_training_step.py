from functools import partial

import larq as lq
import numpy as np
import pytest
from conftest import tiny_resnet

from experiments.benchmarks import training_step
from experiments.benchmarks.benchmark_progress import BenchmarkOptions, Progress
from experiments.benchmarks.step_growth import build_scaled
from experiments.benchmarks.training_step import FLOAT, LARQ, OURS, PUBLISHED


def build(precision="binary"):
    return tiny_resnet((8, 8, 3), 4)


def test_the_baseline_differs_only_in_its_quantizers():
    model = build()
    baseline = training_step.larq_baseline(model)
    quantizers = ("input_quantizer", "kernel_quantizer")
    binary = 0
    for layer, other in zip(model.layers, baseline.layers, strict=True):
        assert type(layer) is type(other)
        ours, theirs = layer.get_config(), other.get_config()
        if isinstance(layer, lq.layers.QuantConv2D):
            binary += 1
            assert isinstance(other.input_quantizer, lq.quantizers.ApproxSign)
            assert isinstance(other.kernel_quantizer, lq.quantizers.SteSign)
            for name in quantizers:
                del ours[name], theirs[name]
        assert ours == theirs
    assert binary == 2
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    for weights, others in zip(
        model.trainable_variables, baseline.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(weights, others)
    assert baseline(images).shape == model(images).shape


def test_a_step_trains():
    model = build()
    step = training_step.trace_step(model, 8)
    before = [variable.numpy() for variable in model.trainable_variables]
    first = step()
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert not np.array_equal(old, variable)
    assert [step() for _ in range(10)][-1] < first


def test_tables_have_each_side_and_what_is_left_out(monkeypatch):
    def measure(sides, repeats):
        assert repeats == 2
        turns = {side: np.arange(1.0, 3) for side in sides}
        return turns, dict.fromkeys(sides, 2**21)

    monkeypatch.setattr(training_step, "measure_in_workers", measure)
    progress = Progress()
    options = BenchmarkOptions(repeats=2, networks=("vgg_small_1w1a",))
    training_step.measure_training_steps(options, progress)
    times, memory = progress.tables
    assert [row.name for row in times.rows] == ["VGG-small"]
    assert times.sides == [OURS, LARQ, FLOAT]
    assert memory.rows[0].medians == {OURS: 2, LARQ: 2, FLOAT: 2}
    assert PUBLISHED in progress.left_out


@pytest.mark.slow  # two processes that load TensorFlow
def test_sides_are_measured_in_processes_of_their_own():
    small = partial(build_scaled, 4, 8)  # not from the tests, whose devices are virtual
    sides = {side: (training_step.make_step, (side, small, 8)) for side in (OURS, LARQ)}
    turns, memory = training_step.measure_in_workers(sides, 2, warm_up=1)
    assert {side: values.shape for side, values in turns.items()} == {OURS: (2,), LARQ: (2,)}
    assert all(size > 0 for size in memory.values())
