import re
import statistics

import numpy as np
import pytest

from experiments.report import charts, run_data, tables
from experiments.report.seed_groups import find_groups, merge
from recu_tf import runs
from recu_tf.html import NOTHING


def make_run(path, **settings):
    config = {
        "settings": {"model": "resnet20_1w1a", "dataset": "digits", "epochs": 3, **settings},
        "num_classes": 2,
        "class_names": ["a", "b"],
        "input_shape": [8, 8, 1],
        "normalization": {"mean": [0.5], "std": [0.5]},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return runs.Run.create(path, config)


def make_contents(run, seed, accuracies):
    layers = {"conv": {"dead_weights": 0.1 * seed}}
    epochs = [
        {"epoch": at, "val_accuracy": value, "lr": 0.1, "layers": layers}
        for at, value in enumerate(accuracies)
    ]
    weights = {"conv": run_data.LayerWeights(np.array([0.5, 0.5]) * seed, 1.0 * seed, 0.1 * seed)}
    confusion = np.array([[seed, 0], [1, 2]])
    return run_data.Contents(
        run, f"seed{seed}", epochs, "best", weights, confusion=confusion, notes=[f"note {seed}"]
    )


@pytest.fixture
def seeds(tmp_path):
    for seed in (2, 10):
        make_run(tmp_path / "many" / f"seed{seed}", seed=seed, lr=0.1)
    return tmp_path / "many"


def test_directory_of_seeds_is_one_group_in_their_order(seeds):
    (group,) = find_groups(seeds)
    assert [run.path.name for run in group.runs] == ["seed2", "seed10"]
    (single,) = find_groups(seeds / "seed2")
    assert (single.path, len(single.runs)) == (seeds / "seed2", 1)


def test_each_stage_of_the_seeds_is_a_group(tmp_path):
    for seed in (0, 1):
        for stage in (1, 2):
            own = tmp_path / f"seed{seed}"
            # The teacher of the second stage is the first of the same seed.
            make_run(own / f"stage{stage}", seed=seed, teacher=str(own / "stage1"))
    groups = find_groups(tmp_path)
    assert [group.stage for group in groups] == ["stage1", "stage2"]
    assert [len(group.runs) for group in groups] == [2, 2]


def test_runs_that_differ_in_more_than_their_seeds_are_refused(seeds):
    make_run(seeds / "seed3", seed=3, lr=0.2)
    with pytest.raises(ValueError, match="they differ in lr, not in their seeds alone"):
        find_groups(seeds)


def test_directory_without_runs_is_refused(tmp_path):
    (tmp_path / "seed1").mkdir()
    with pytest.raises(FileNotFoundError, match="is not a run directory"):
        find_groups(tmp_path)


def test_line_is_the_mean_of_the_epochs_that_all_seeds_have(seeds):
    (group,) = find_groups(seeds)
    first = make_contents(group.runs[0], 1, [0.2, 0.8, 0.7])
    second = make_contents(group.runs[1], 2, [0.4, 0.5])
    merged = merge([first, second], group.path, "many")
    # Of two numbers and a sum of them; floats keep about 16 digits.
    assert merged.values("val_accuracy") == [(1, pytest.approx(0.3)), (2, pytest.approx(0.65))]
    spread = [statistics.stdev(pair) for pair in ((0.2, 0.4), (0.8, 0.5))]
    assert list(merged.deviations) == ["val_accuracy"]  # the schedule has none
    assert list(merged.deviations["val_accuracy"].values()) == pytest.approx(spread)
    assert merged.layer_values("dead_weights")["conv"] == pytest.approx([0.15, 0.15])
    assert merged.weights["conv"].limit == 1.5
    assert merged.confusion.tolist() == [[3, 0], [2, 4]]
    assert merged.class_names == ["a", "b"]
    assert merged.notes == [
        "seed1: note 1",
        "seed2: note 2",
        "Shown are the 2 epochs that all of the seeds have; the fewest, 2, has seed2. Weights, "
        "confusion matrix and tests are of the saved models, which may be of other epochs.",
    ]
    (row,) = tables.make_summary([merged]).rows
    assert row[0] == "many (2 seeds)"
    # Best and last of the epochs shown, not of the third that one of the seeds has.
    assert row[3:6] == ["2 of 3", "65.00% ± 21.21", "65.00% ± 21.21"]
    settings = dict(tables.make_settings_table([merged]).rows)
    assert settings["seed"] == "2, 10"


def test_seed_without_epochs_is_named(seeds):
    (group,) = find_groups(seeds)
    first = make_contents(group.runs[0], 1, [0.2, 0.8, 0.7])
    second = make_contents(group.runs[1], 2, [])
    merged = merge([first, second], group.path, "many")
    start = "No epochs are shown, as none is in all of the seeds; the fewest, 0, has seed2. "
    assert merged.notes[-1].startswith(start)
    (row,) = tables.make_summary([merged]).rows
    assert row[3:6] == [NOTHING] * 3


def test_band_is_drawn_and_fits_on_the_axis():
    line = charts.Series("a", 1, [(1, 0.5), (2, 0.6)], deviations={1: 0.5, 2: 0.1})
    chart = charts.draw_lines("Accuracy", "", [line])
    assert re.search("fill: var\\(--run1\\); fill-opacity: 0.18", chart)
    assert "a, epoch 1: 0.5 ± 0.5" in chart
    low, high = map(float, re.search(r"range&#34;:\[([-\d.]+),([-\d.]+)\]", chart).groups())
    assert low <= 0
    assert high >= 1
    assert "deviation&#34;:[0.5,0.1]" in chart
