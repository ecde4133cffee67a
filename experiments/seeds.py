"""Several trainings of one command that differ in their seeds, and the table of their results."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from experiments.stages import list_stages
from experiments.training_settings import resolve
from recu_tf.runs import Run
from recu_tf.runs.atomic_write import write_json
from recu_tf.runs.directories import has_run
from recu_tf.settings import Settings
from recu_tf.training.seed_summary import summarize_runs

__all__ = ["train_seeds"]

SUMMARY = "seeds.json"
# The options, settings and directory of a training.
Training = tuple[argparse.Namespace, Settings, Path]


def train_seeds(
    options: argparse.Namespace, train_stages: Callable[[list[Training]], Run | None]
) -> str:
    """Trains a run, or the runs of all stages, for each seed, and keeps a summary.

    Args:
        options: of `recu train`, with --seeds.
        train_stages: trains the stages of a seed; returns the last run, None where another process
            is the chief.

    Returns:
        A table of the results.

    Raises:
        FileExistsError, ValueError: see `_find_root`; or settings are invalid.
    """
    root = _find_root(options)
    trainings = [
        [(stage, *resolve(stage)) for stage in list_stages(seed)]
        for seed in _list_seeds(options, root)
    ]
    trained = []
    for number, stages in enumerate(trainings, 1):
        seed = stages[0][1].seed
        print(f"Seed {seed}, {number} of {options.seeds}: {root / f'seed{seed}'}", flush=True)
        trained.append(train_stages(stages))
    if None in trained:
        return "The chief has the results."
    summary = summarize_runs(trained)
    write_json(root / SUMMARY, summary)
    return f"\n{_format_summary(summary)}\nWritten: {root / SUMMARY}"


def _find_root(options: argparse.Namespace) -> Path:
    """The directory of all seeds of a command, RESULTS_DIR/SAVE.

    Args:
        options: of `recu train`, with --seeds.

    Raises:
        FileExistsError, ValueError: something else lies there; with --resume, runs of other seeds.
    """
    # Of stages, the names of the runs end with /stageN.
    stages = list_stages(options)
    root = resolve(stages[0])[1]
    root = root.parent if len(stages) > 1 else root
    if has_run(root):
        raise ValueError(
            f"--seeds needs a directory for its runs, and {root} is a run; choose another --save."
        )
    if not options.resume:
        Run.check_free(root)
    seeds = _list_numbers(options)
    found = {path.name for path in root.glob("seed*") if path.is_dir()}
    others = sorted(found - {f"seed{seed}" for seed in seeds})
    if others:
        raise ValueError(
            f"--resume needs the whole command of these runs: {root} has {', '.join(others)} as "
            f"well, --seed and --seeds mean {seeds[0]} ... {seeds[-1]}."
        )
    return root


def _list_numbers(options: argparse.Namespace) -> range:
    first = getattr(options, "seed", 0)
    return range(first, first + options.seeds)


def _list_seeds(options: argparse.Namespace, root: Path) -> list[argparse.Namespace]:
    """The options of the training of each seed; its run is SAVE/seedN.

    Args:
        options: of `recu train`, with --seeds.
        root: see `_find_root`.
    """
    save = root.relative_to(options.results_dir)
    numbers = _list_numbers(options)
    first = root / f"seed{numbers[0]}"
    return [
        argparse.Namespace(
            **{
                **vars(options),
                "seed": number,
                "save": str(save / f"seed{number}"),
                # What a seed that has not begun takes its settings from when all are resumed.
                "sibling": (root / f"seed{number}", first),
            }
        )
        for number in numbers
    ]


def _format_summary(summary: dict) -> str:
    """A table of what `recu_tf.training.seed_summary.summarize_runs` returns."""
    names = [name for name in ("top_1", "test_top_1") if name in summary]
    titles = {"top_1": f"top-1, {summary['chosen_on']}", "test_top_1": "top-1, test images"}
    rows = [
        [row["path"], row["epoch"] + 1, *(f"{row[name]:.2%}" for name in names)]
        for row in summary["runs"]
    ]
    rows.append(["mean", "", *(f"{summary[name]['mean']:.2%}" for name in names)])
    deviations = [summary[name]["deviation"] for name in names]
    if None not in deviations:
        rows.append(["standard deviation (n - 1)", "", *(f"{value:.2%}" for value in deviations)])
    header = ["run", "best epoch", *(titles[name] for name in names)]
    return tabulate(rows, header, disable_numparse=True)
