import os
import re
import subprocess
import sys
from functools import partial

import larq as lq
import numpy as np
import pytest
from conftest import tiny_resnet

from experiments.benchmarks import training_step

build = partial(tiny_resnet, (8, 8, 3), 4)


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


def test_a_step_trains_and_every_turn_is_timed():
    model = build()
    step = training_step.training_step(model, 8)
    before = [variable.numpy() for variable in model.trainable_variables]
    seconds = training_step.step_seconds([step, step], 2)
    assert seconds.shape == (2, 2)
    assert (seconds > 0).all()
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert not np.array_equal(old, variable)
    losses = [float(step()) for _ in range(10)]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_the_report_holds_times_and_memory_of_both():
    times, memory = training_step.report(build, 8, 2).split("\n")
    for line, unit in ((times, "ms"), (memory, "MiB")):
        ours, theirs, ratio = re.search(
            rf"ReCU (\d+) {unit}, Larq (\d+) {unit}, ratio ([\d.]+)", line
        ).groups()
        assert int(ours) > 0
        assert int(theirs) > 0
        # The numbers before are rounded.
        assert float(ratio) == pytest.approx(int(ours) / int(theirs), rel=0.5)


@pytest.mark.parametrize(("option", "minimum"), [("batch-size", 1), ("repeats", 2)])
def test_too_small_numbers_are_refused(option, minimum, capsys):
    with pytest.raises(SystemExit, match="2"):
        training_step.main([f"--{option}", str(minimum - 1)])
    assert f"must be at least {minimum}, got {minimum - 1}" in capsys.readouterr().err


@pytest.mark.slow  # a process that loads TensorFlow
def test_benchmark_starts_where_nothing_selected_keras():
    plain = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-m", "experiments.benchmarks.training_step", "--help"]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
