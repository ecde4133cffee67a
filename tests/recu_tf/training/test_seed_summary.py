import json

import numpy as np
import pytest

from recu_tf import runs
from recu_tf.training.seed_summary import summarize_runs, summarize_values


def test_deviation_is_that_of_a_sample():
    values = [0.5, 0.75, 0.625]
    summary = summarize_values(values)
    assert summary["mean"] == pytest.approx(np.mean(values))
    assert summary["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert summarize_values([0.5]) == {"mean": 0.5, "deviation": None}
    with pytest.raises(ValueError, match="`values` must hold one number or more"):
        summarize_values([])


def make_run(path, seed, accuracies, test):
    path.mkdir()
    config = {"settings": {"seed": seed}, "chosen_on": "held-out training images"}
    run = runs.Run(path, {**config, "test": {"top_1": test}})
    for epoch, accuracy in enumerate(accuracies):
        run.append_metrics({"epoch": epoch, "val_accuracy": accuracy})
    return run


def test_best_epochs_of_runs_are_summarised(tmp_path):
    trained = [
        make_run(tmp_path / "a", 4, [0.2, 0.6, 0.4], 0.5),
        make_run(tmp_path / "b", 5, [0.8, 0.8], 0.7),
    ]
    summary = summarize_runs(trained)
    assert [(row["seed"], row["epoch"], row["top_1"]) for row in summary["runs"]] == [
        (4, 1, 0.6),
        (5, 0, 0.8),
    ]
    assert summary["top_1"]["mean"] == pytest.approx(0.7)
    assert summary["test_top_1"]["mean"] == pytest.approx(0.6)
    assert summary["chosen_on"] == "held-out training images"
    assert json.loads(json.dumps(summary)) == summary
