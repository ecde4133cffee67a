"""The results of trainings that differ in their seeds alone: each, their mean, their deviation."""

import math
import statistics
from collections.abc import Sequence

from recu_tf import runs

__all__ = ["summarize_runs", "summarize_values"]


def summarize_values(values: Sequence[float]) -> dict[str, float | None]:
    r"""The mean and the sample standard deviation of some numbers.

    \[ m = \frac{1}{n}\sum_i x_i,\qquad s = \sqrt{\frac{1}{n - 1}\sum_i (x_i - m)^2} \]

    Args:
        values: one or more.

    Returns:
        `mean`, and `deviation`; None for a single number.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("`values` must hold one number or more, got none.")
    mean = math.fsum(values) / len(values)
    return {"mean": mean, "deviation": statistics.stdev(values) if len(values) > 1 else None}


def summarize_runs(trained: Sequence[runs.Run]) -> dict:
    """The accuracies of the best epochs of some runs.

    Args:
        trained: runs of one or more epochs.

    Returns:
        Of JSON's types: `chosen_on`, the images whose top-1 decides which epoch is the best;
        `runs`, with the `path`, `seed`, best `epoch` (counted from 0) and `top_1` of each; and
        `top_1` of all, see `summarize_values`. With held-out images, `test_top_1` as well, in both
        places.

    Raises:
        ValueError: a run has no epoch.
    """
    rows = []
    for run in trained:
        best = run.find_best_epoch()
        if best is None:
            raise ValueError(f"{run.path} has no epoch to summarise.")
        row = {
            "path": str(run.path),
            "seed": run.config["settings"]["seed"],
            "epoch": best["epoch"],
            "top_1": best["val_accuracy"],
        }
        if "test" in run.config:
            row["test_top_1"] = run.config["test"]["top_1"]
        rows.append(row)
    names = [name for name in ("top_1", "test_top_1") if all(name in row for row in rows)]
    return {
        "chosen_on": trained[0].chosen_on,
        "runs": rows,
        **{name: summarize_values([row[name] for row in rows]) for name in names},
    }
